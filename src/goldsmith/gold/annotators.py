"""Annotators as the lead sees them: how much, how fast, how far others agree, and what asks for a conversation.

Counts are over everything; all else over the newest votes (`WINDOW`), so that the page costs the same after a year.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import sqlalchemy as sa

from goldsmith.gold.competence import dawid_skene, mace
from goldsmith.gold.people import all_people
from goldsmith.gold.room import Room
from goldsmith.gold.schema import CHECK_ITEMS, PAIR_STATES, QUEUE, VOTES

WINDOW = 20_000
FEWEST_VOTES = 20
"""Votes below which nobody is flagged for speed or reliance."""
FEWEST_CHECKS = 10
LOWEST_CHECKS = 0.7
"""Accuracy on known answers that somebody is flagged for when the upper end of their 95 % interval lies below it."""
FASTEST_READING = 700.0
"""Words a minute, over context and both replies. Fluent adults read prose at about 240, and skim at about twice that."""
RELIANCE_GAP = 0.15
RELIANCE_Z = 2.33
"""Agreement with the models above that with colleagues: by at least so much, and beyond chance (one-sided 1 %)."""
ONE_SIDED_Z = 4.0


@dataclass(slots=True)
class _Seen:
    """What the window holds of one person."""

    seconds: list[float] = field(default_factory=list)
    speeds: list[float] = field(default_factory=list)
    same: int = 0
    compared: int = 0
    with_hint: int = 0
    hinted: int = 0
    same_hinted: int = 0
    compared_hinted: int = 0
    on_top: int = 0
    sided: int = 0
    again_same: int = 0
    again: int = 0


def annotators(room: Room, connection: sa.Connection) -> list[dict[str, Any]]:
    """Return everybody who has voted, the most votes first, with figures and `flags`."""
    totals, checks = _totals(room, connection), _checks(connection)
    votes = _window(connection)
    seen = _look(connection, votes)
    first = [(vote["pair_id"], vote["annotator"], vote["choice"]) for vote in votes if vote["round"] == "first"]
    ds, knows = dawid_skene(first).by_person, mace(first).by_person
    people = {person.person_id: person for person in all_people(connection)}
    rows = []
    for person_id, counts in totals.items():
        person, found = people.get(person_id), seen.get(person_id, _Seen())
        right, asked = checks.get(person_id, (0, 0))
        row = {
            "person_id": person_id,
            "name": person.name if person else person_id,
            "role": person.role if person else "",
            **counts,
            "median_seconds": median(found.seconds) if found.seconds else None,
            "words_per_minute": median(found.speeds) if found.speeds else None,
            "agreement": _share(found.same, found.compared),
            "num_compared": found.compared,
            "checks": asked,
            "check_accuracy": _share(right, asked),
            "competence_ds": ds.get(person_id),
            "competence_mace": knows.get(person_id),
            "hint_agreement": _share(found.with_hint, found.hinted),
            "same_agreement": _share(found.again_same, found.again),
        }
        rows.append({**row, "flags": flags(found, right, asked)})
    return sorted(rows, key=lambda row: (-row["votes"], row["name"]))


def flags(found: _Seen, right: int, asked: int) -> list[dict[str, Any]]:
    """Return what the lead should look at, each with its figures: `reliance`, `speed`, `checks`, `one-sided`."""
    told: list[dict[str, Any]] = []
    speed = median(found.speeds) if len(found.speeds) >= FEWEST_VOTES else None
    too_fast = speed is not None and speed > FASTEST_READING
    if too_fast:
        told.append({"kind": "speed", "facts": {"words_per_minute": speed, "votes": len(found.speeds)}})
    if too_fast and found.hinted >= FEWEST_VOTES and found.compared_hinted >= FEWEST_VOTES:
        hint, colleagues = found.with_hint / found.hinted, found.same_hinted / found.compared_hinted
        if (
            hint - colleagues >= RELIANCE_GAP
            and _z(found.with_hint, found.hinted, found.same_hinted, found.compared_hinted) > RELIANCE_Z
        ):
            facts = {"hint_agreement": hint, "agreement": colleagues, "words_per_minute": speed, "votes": found.hinted}
            told.insert(0, {"kind": "reliance", "facts": facts})
    if asked >= FEWEST_CHECKS and _wilson_high(right, asked) < LOWEST_CHECKS:
        told.append({"kind": "checks", "facts": {"right": right, "checks": asked}})
    if found.sided >= FEWEST_VOTES and abs(found.on_top - found.sided / 2) > ONE_SIDED_Z * math.sqrt(found.sided) / 2:
        told.append({"kind": "one-sided", "facts": {"shown_first": found.on_top / found.sided, "votes": found.sided}})
    return told


def implied_choice(checks: Mapping[str, Sequence[Mapping[str, Any]]]) -> str | None:
    """Return the side that models' checks of single replies favour: more of its verdicts are `correct`; None when they favour none."""
    share = {}
    for side in ("first", "second"):
        outcomes = [check.get("outcome") for check in checks.get(side, []) if check.get("outcome") in ("correct", "incorrect")]
        if not outcomes:
            return None
        share[side] = outcomes.count("correct") / len(outcomes)
    if share["first"] == share["second"]:
        return None
    return "first" if share["first"] > share["second"] else "second"


def _totals(room: Room, connection: sa.Connection) -> dict[str, dict[str, int]]:
    midnight = room.clock() // 86_400 * 86_400

    def count(condition: Any) -> Any:
        return sa.func.sum(sa.case((condition, 1), else_=0))

    query = (
        sa.select(
            VOTES.c.annotator,
            sa.func.count(),
            count(VOTES.c.at >= midnight),
            count(VOTES.c.round == "late"),
            count(VOTES.c.choice == "discard"),
        )
        .where(VOTES.c.withdrawn_at.is_(None))
        .group_by(VOTES.c.annotator)
    )
    names = ("votes", "today", "late", "discards")
    return {row[0]: dict(zip(names, map(int, row[1:]), strict=True)) for row in connection.execute(query)}


def _checks(connection: sa.Connection) -> dict[str, tuple[int, int]]:
    """Right answers and answers on hidden checks."""
    right = sa.func.sum(sa.case((VOTES.c.choice == CHECK_ITEMS.c.label, 1), else_=0))
    query = (
        sa.select(VOTES.c.annotator, right, sa.func.count())
        .join(CHECK_ITEMS, CHECK_ITEMS.c.pair_id == VOTES.c.pair_id)
        .where(VOTES.c.round == "check", VOTES.c.withdrawn_at.is_(None))
        .group_by(VOTES.c.annotator)
    )
    return {person: (int(good), count) for person, good, count in connection.execute(query)}


def _window(connection: sa.Connection) -> list[dict[str, Any]]:
    query = (
        sa.select(VOTES.c.record)
        .where(VOTES.c.round.in_(["first", "retest"]), VOTES.c.withdrawn_at.is_(None), VOTES.c.at.is_not(None))
        .order_by(VOTES.c.at.desc())
        .limit(WINDOW)
    )
    return [json.loads(record) for record in connection.execute(query).scalars()]


def _look(connection: sa.Connection, votes: Sequence[dict[str, Any]]) -> dict[str, _Seen]:
    by_pair: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for vote in votes:
        by_pair[vote["pair_id"]].append(vote)
    words, favoured = _known_of_pairs(connection, list(by_pair))
    seen: dict[str, _Seen] = defaultdict(_Seen)
    for pair_id, given in by_pair.items():
        first = [vote for vote in given if vote["round"] == "first"]
        for vote in first:
            _count_vote(
                seen[vote["annotator"]],
                vote,
                [other["choice"] for other in first if other is not vote],
                words.get(pair_id, 0),
                favoured.get(pair_id),
            )
        for vote in given:
            before = [other["choice"] for other in first if other["annotator"] == vote["annotator"]]
            if vote["round"] == "retest" and before:
                seen[vote["annotator"]].again += 1
                seen[vote["annotator"]].again_same += before[0] == vote["choice"]
    return seen


def _count_vote(found: _Seen, vote: Mapping[str, Any], others: Sequence[str], num_words: int, favoured: str | None) -> None:
    same = sum(choice == vote["choice"] for choice in others)
    found.same += same
    found.compared += len(others)
    if vote["seconds"] > 0:
        found.seconds.append(vote["seconds"])
        if num_words:
            found.speeds.append(60 * num_words / vote["seconds"])
    if favoured is not None:
        found.hinted += 1
        found.with_hint += vote["choice"] == favoured
        found.same_hinted += same
        found.compared_hinted += len(others)
    if vote["choice"] in ("first", "second"):
        found.sided += 1
        found.on_top += vote["choice"] == vote["shown_order"][0]


def _known_of_pairs(connection: sa.Connection, pair_ids: Sequence[str]) -> tuple[dict[str, int], dict[str, str]]:
    """Words of each pair, and the side that models favour where they favour one."""
    from goldsmith.gold.votes import CHUNK

    words: dict[str, int] = {}
    favoured: dict[str, str] = {}
    for start in range(0, len(pair_ids), CHUNK):
        ids = pair_ids[start : start + CHUNK]
        query = sa.select(PAIR_STATES.c.pair_id, PAIR_STATES.c.num_words, QUEUE.c.checks).join(
            QUEUE, QUEUE.c.pair_id == PAIR_STATES.c.pair_id
        )
        for pair_id, num_words, checks in connection.execute(query.where(PAIR_STATES.c.pair_id.in_(ids))):
            words[pair_id] = num_words
            side = implied_choice(json.loads(checks)) if checks else None
            if side is not None:
                favoured[pair_id] = side
    return words, favoured


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _z(right: int, total: int, other_right: int, other_total: int) -> float:
    """Difference of two shares over its standard error under equality."""
    pooled = (right + other_right) / (total + other_total)
    error = math.sqrt(pooled * (1 - pooled) * (1 / total + 1 / other_total))
    return (right / total - other_right / other_total) / error if error else 0.0


def _wilson_high(right: int, total: int, z: float = 1.96) -> float:
    """The upper end of Wilson's 95 % interval of a share."""
    share, more = right / total, z * z / total
    return (share + more / 2 + z * math.sqrt(share * (1 - share) / total + more / (4 * total))) / (1 + more)
