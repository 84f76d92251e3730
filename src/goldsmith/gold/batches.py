"""Batches as the room sees them: how far each is, what the gate says of it and of each task in it, and which pairs and people to look at."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from goldsmith.gold.adjudicate import is_disputed
from goldsmith.gold.agreement import (
    CHOICES,
    STRENGTHS,
    Agreement,
    Pattern,
    alpha_of,
    choice_pattern,
    gate_outcome,
    together,
)
from goldsmith.gold.room import Room
from goldsmith.gold.schema import LEASES, PAIR_STATES, PEOPLE, RETESTS, VOTES
from goldsmith.types import Vote

LOOKED_AT = 50
MOST_VOTES = 60_000
"""Votes of a batch that are read one by one for the list of people; the newest."""
STATES = ("open", "disputed", "gold", "discarded")


def batches(room: Room, connection: sa.Connection) -> list[dict[str, Any]]:
    """Return every batch with its counts and its gate, in the order in which they came."""
    counts = _counts(connection)
    names = connection.execute(
        sa.select(PAIR_STATES.c.batch).group_by(PAIR_STATES.c.batch).order_by(sa.func.min(PAIR_STATES.c.rank))
    ).scalars()
    return [
        {
            "batch": name,
            "pairs": sum(counts[name].values()),
            **{state: counts[name][state] for state in STATES},
            **gate_of(room, connection, name),
        }
        for name in names
    ]


def gate_of(room: Room, connection: sa.Connection, batch: str, task: str | None = None) -> dict[str, Any]:
    """Return `outcome` and the four alphas of a batch, or of one task in it: `alpha_first`, `alpha_strength`, `alpha_retest` and `alpha_same`."""
    found = {
        "alpha_first": alpha_of(_patterns(connection, batch, task, "choice", CHOICES), "nominal", seed=room.seed),
        "alpha_strength": alpha_of(_patterns(connection, batch, task, "strength", STRENGTHS), "ordinal", seed=room.seed),
        "alpha_retest": alpha_of(_retests(connection, batch, task), "nominal", seed=room.seed),
        "alpha_same": alpha_of(_same_person(connection, batch, task), "nominal", seed=room.seed),
    }
    return {"outcome": _outcome(room, found), **{name: asdict(agreement) for name, agreement in found.items()}}


def retest_agreement(room: Room, connection: sa.Connection, batch: str) -> Agreement:
    """Return alpha of first verdicts against blind retests by others."""
    return alpha_of(_retests(connection, batch, None), "nominal", seed=room.seed)


def retest_counts(room: Room, connection: sa.Connection, batch: str) -> dict[str, int]:
    """Return how many retests by others a batch has `drawn`, how many are `done`, and how many it may have at most (`max`)."""
    query = (
        sa.select(RETESTS.c.state, sa.func.count())
        .where(RETESTS.c.batch == batch, RETESTS.c.person_id.is_(None))
        .group_by(RETESTS.c.state)
    )
    states: dict[str, int] = {state: count for state, count in connection.execute(query)}
    return {
        "drawn": sum(states.values()),
        "done": states.get("done", 0),
        "max": int(room.gold.retest_max_share * _counts(connection, batch)[batch]["gold"]),
    }


def gold_count(connection: sa.Connection, batch: str) -> int:
    """Return how many pairs of a batch are verified."""
    return _counts(connection, batch)[batch]["gold"]


def came_through_room(connection: sa.Connection, batch: str) -> bool:
    """Return whether people voted on a batch in the room, where alone a pair can be asked for again, blind."""
    query = (
        sa.select(VOTES.c.vote_id).join(PAIR_STATES, PAIR_STATES.c.pair_id == VOTES.c.pair_id).where(PAIR_STATES.c.batch == batch)
    )
    return connection.execute(query.where(VOTES.c.lease_id.is_not(None)).limit(1)).first() is not None


def uncounted(room: Room, batch: str) -> list[str]:
    """Return the pairs of a batch that have more first-round votes than their seats say: a file brought them."""
    given = sa.func.count(VOTES.c.vote_id)
    query = (
        sa.select(PAIR_STATES.c.pair_id)
        .join(VOTES, VOTES.c.pair_id == PAIR_STATES.c.pair_id)
        .where(
            PAIR_STATES.c.batch == batch,
            PAIR_STATES.c.num_votes < PAIR_STATES.c.wanted,
            VOTES.c.round == "first",
            VOTES.c.withdrawn_at.is_(None),
        )
        .group_by(PAIR_STATES.c.pair_id, PAIR_STATES.c.num_votes)
        .having(given > PAIR_STATES.c.num_votes)
    )
    with room.database.read() as connection:
        return list(connection.execute(query).scalars())


def batch_detail(room: Room, connection: sa.Connection, batch: str) -> dict[str, Any] | None:
    """Return what the page of one batch shows; None when there is no such batch."""
    counts = _counts(connection, batch)[batch]
    if not counts:
        return None
    gate = {
        "batch": batch,
        "pairs": sum(counts.values()),
        **{state: counts[state] for state in STATES},
        **gate_of(room, connection, batch),
    }
    gate |= {"reasons": _reasons(room, gate), "retests": retest_counts(room, connection, batch)}
    votes = _votes(connection, batch)
    names = {row.person_id: row.name for row in connection.execute(sa.select(PEOPLE.c.person_id, PEOPLE.c.name))}
    return {
        "batch": batch,
        "gate": gate,
        "by_task": _by_task(room, connection, batch),
        "look_at_pairs": _look_at_pairs(room, connection, batch, names),
        "look_at_people": _look_at_people(room, votes, names),
        "min_alpha": room.gold.min_alpha,
    }


def _outcome(room: Room, found: dict[str, Agreement]) -> str:
    """Both checks; retests are checked where they are asked for."""
    checks = [gate_outcome(found["alpha_first"], room.gold.min_alpha)]
    if room.gold.retest_share:
        checks.append(gate_outcome(found["alpha_retest"], room.gold.min_alpha))
    return together(checks)


def _reasons(room: Room, gate: dict[str, Any]) -> list[dict[str, Any]]:
    checks = ("alpha_first", "alpha_retest")
    return [{"check": name, "outcome": gate_outcome(Agreement(**gate[name]), room.gold.min_alpha)} for name in checks]


def _counts(connection: sa.Connection, batch: str | None = None) -> defaultdict[str, Counter[str]]:
    query = sa.select(PAIR_STATES.c.batch, PAIR_STATES.c.state, sa.func.count()).group_by(
        PAIR_STATES.c.batch, PAIR_STATES.c.state
    )
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for name, state, count in connection.execute(query.where(PAIR_STATES.c.batch == batch) if batch is not None else query):
        found[name][state] = count
    return found


def _in_batch(batch: str, task: str | None) -> list[Any]:
    return [PAIR_STATES.c.batch == batch, *([PAIR_STATES.c.task == task] if task is not None else [])]


def _patterns(
    connection: sa.Connection, batch: str, task: str | None, column: str, categories: Sequence[Any]
) -> Counter[Pattern]:
    """How often each pattern of first-round votes occurs, counted by the database."""
    sums = [
        sa.func.sum(sa.case((VOTES.c[column] == category, 1), else_=0)).label(f"n{at}") for at, category in enumerate(categories)
    ]
    per_pair = (
        sa.select(*sums)
        .join(PAIR_STATES, PAIR_STATES.c.pair_id == VOTES.c.pair_id)
        .where(VOTES.c.round == "first", VOTES.c.withdrawn_at.is_(None), *_in_batch(batch, task))
        .group_by(VOTES.c.pair_id)
        .subquery()
    )
    columns = list(per_pair.c)
    rows = connection.execute(sa.select(*columns, sa.func.count()).group_by(*columns))
    return Counter({tuple(int(value) for value in row[:-1]): row[-1] for row in rows})


def _retests(connection: sa.Connection, batch: str, task: str | None) -> Counter[Pattern]:
    query = (
        sa.select(PAIR_STATES.c.label, VOTES.c.choice, sa.func.count())
        .select_from(VOTES)
        .join(LEASES, LEASES.c.lease_id == VOTES.c.lease_id)
        .join(RETESTS, RETESTS.c.retest_id == LEASES.c.retest_id)
        .join(PAIR_STATES, PAIR_STATES.c.pair_id == VOTES.c.pair_id)
        .where(
            VOTES.c.round == "retest",
            VOTES.c.withdrawn_at.is_(None),
            RETESTS.c.person_id.is_(None),
            PAIR_STATES.c.label.is_not(None),
            *_in_batch(batch, task),
        )
        .group_by(PAIR_STATES.c.label, VOTES.c.choice)
    )
    return _added((choice_pattern([before, after]), count) for before, after, count in connection.execute(query))


def _same_person(connection: sa.Connection, batch: str, task: str | None) -> Counter[Pattern]:
    before, after = VOTES.alias(), VOTES.alias()
    query = (
        sa.select(before.c.choice, after.c.choice, sa.func.count())
        .select_from(after)
        .join(
            before,
            sa.and_(
                before.c.pair_id == after.c.pair_id,
                before.c.annotator == after.c.annotator,
                before.c.round == "first",
                before.c.withdrawn_at.is_(None),
            ),
        )
        .join(PAIR_STATES, PAIR_STATES.c.pair_id == after.c.pair_id)
        .where(after.c.round == "retest", after.c.withdrawn_at.is_(None), *_in_batch(batch, task))
        .group_by(before.c.choice, after.c.choice)
    )
    return _added((choice_pattern([one, other]), count) for one, other, count in connection.execute(query))


def _added(pairs: Any) -> Counter[Pattern]:
    found: Counter[Pattern] = Counter()
    for pattern, count in pairs:
        found[pattern] += count
    return found


def _by_task(room: Room, connection: sa.Connection, batch: str) -> list[dict[str, Any]]:
    query = (
        sa.select(PAIR_STATES.c.task, sa.func.count())
        .where(PAIR_STATES.c.batch == batch)
        .group_by(PAIR_STATES.c.task)
        .order_by(sa.func.count().desc())
    )
    rows = []
    for task, count in connection.execute(query).all():
        gate = gate_of(room, connection, batch, task)
        rows.append(
            {
                "task": task,
                "pairs": count,
                "outcome": gate["outcome"],
                **{name: gate[name] for name in ("alpha_first", "alpha_strength", "alpha_retest")},
            }
        )
    return rows


def _votes(connection: sa.Connection, batch: str) -> list[tuple[str, str, str]]:
    """(pair, person, choice) of the batch's newest first-round votes."""
    query = (
        sa.select(VOTES.c.pair_id, VOTES.c.annotator, VOTES.c.choice)
        .join(PAIR_STATES, PAIR_STATES.c.pair_id == VOTES.c.pair_id)
        .where(VOTES.c.round == "first", VOTES.c.withdrawn_at.is_(None), PAIR_STATES.c.batch == batch)
        .order_by(VOTES.c.at.desc())
        .limit(MOST_VOTES)
    )
    return [(row[0], row[1], row[2]) for row in connection.execute(query)]


def _look_at_people(room: Room, votes: Sequence[tuple[str, str, str]], names: dict[str, str]) -> list[dict[str, Any]]:
    """Everybody who voted, by what the batch's alpha would be without them: who pulls it down most comes first."""
    by_pair: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for pair_id, person, choice in votes:
        by_pair[pair_id].append((person, choice))
    same, compared = Counter[str](), Counter[str]()
    for given in by_pair.values():
        for person, choice in given:
            others = [other for whom, other in given if whom != person]
            same[person] += sum(other == choice for other in others)
            compared[person] += len(others)
    rows = []
    for person in {person for _, person, _ in votes}:
        left = Counter(choice_pattern(choice for whom, choice in given if whom != person) for given in by_pair.values())
        without = alpha_of(left, "nominal", seed=room.seed, resamples=0).alpha
        agreement = same[person] / compared[person] if compared[person] else None
        rows.append(
            {
                "person_id": person,
                "name": names.get(person, person),
                "agreement": agreement,
                "num_compared": compared[person],
                "alpha_without": without,
            }
        )
    return sorted(rows, key=lambda row: -(row["alpha_without"] if row["alpha_without"] is not None else -2.0))


def _look_at_pairs(room: Room, connection: sa.Connection, batch: str, names: dict[str, str]) -> list[dict[str, Any]]:
    """Pairs whose retest differs from the verdict, then disputes, then those on which one was outvoted; the newest first."""
    differs = (
        sa.select(VOTES.c.pair_id)
        .join(PAIR_STATES, PAIR_STATES.c.pair_id == VOTES.c.pair_id)
        .where(
            PAIR_STATES.c.batch == batch,
            VOTES.c.round == "retest",
            VOTES.c.withdrawn_at.is_(None),
            VOTES.c.choice != PAIR_STATES.c.label,
        )
        .order_by(VOTES.c.at.desc())
        .limit(LOOKED_AT)
    )
    disputed = (
        sa.select(PAIR_STATES.c.pair_id)
        .where(PAIR_STATES.c.batch == batch, PAIR_STATES.c.was_disputed)
        .order_by(PAIR_STATES.c.settled_at.desc())
        .limit(LOOKED_AT)
    )
    outvoted = (
        sa.select(PAIR_STATES.c.pair_id)
        .where(PAIR_STATES.c.batch == batch, PAIR_STATES.c.state == "gold", PAIR_STATES.c.how == "majority")
        .order_by(PAIR_STATES.c.settled_at.desc())
        .limit(LOOKED_AT)
    )
    changed = list(dict.fromkeys(connection.execute(differs).scalars()))
    others = (pair_id for query in (disputed, outvoted) for pair_id in connection.execute(query).scalars())
    ids = list(dict.fromkeys([*changed, *others]))[:LOOKED_AT]
    tasks = {
        row.pair_id: row.task
        for row in connection.execute(sa.select(PAIR_STATES.c.pair_id, PAIR_STATES.c.task).where(PAIR_STATES.c.pair_id.in_(ids)))
    }
    from goldsmith.gold.votes import votes_in

    votes = votes_in(connection, ids)
    return [
        {
            "pair_id": name,
            "task": tasks.get(name, ""),
            "why": "retest-differs" if name in changed else _why(room, votes[name]),
            "votes": _shown(votes[name], names),
        }
        for name in ids
    ]


def _why(room: Room, votes: Sequence[Vote]) -> str:
    first = [vote for vote in votes if vote.round == "first"]
    choices = {vote.choice for vote in first}
    if "discard" in choices and len(choices) > 1:
        return "discard-against-choice"
    if first and not is_disputed(first, room.gold.max_strength_gap):
        return "outvoted"
    without_strength = [vote.model_copy(update={"strength": 1}) for vote in first]
    return "no-majority" if first and is_disputed(without_strength, 2) else "strength"


def _shown(votes: Sequence[Vote], names: dict[str, str]) -> list[dict[str, Any]]:
    return [
        {"name": names.get(vote.annotator, vote.annotator), "choice": vote.choice, "strength": vote.strength, "round": vote.round}
        for vote in votes
    ]
