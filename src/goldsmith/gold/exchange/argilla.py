"""Argilla 2: a folder as `Dataset.to_disk` writes it; votes as responses, one suggestion a question.

Raters are UUIDs there: a rater of ours whose id is none gets one made of the name. Whole votes ride along in the record's metadata, which annotators do
not see. A response's status is lost in Argilla's own nested JSON, so that a discard is an answer of its own.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from goldsmith.errors import DataError
from goldsmith.gold.exchange.argilla_settings import (
    CONFIDENCE,
    DISCARD,
    NO_REASON,
    PREFERENCE,
    PROMPT,
    RATIONALE,
    RESPONSES,
    STRENGTH,
    STRENGTHS,
    dataset,
    settings,
)
from goldsmith.gold.exchange.item import (
    Answer,
    Held,
    Item,
    Read,
    Suggestion,
    answer_of,
    carried,
    given_back,
    score_of,
    shown_text,
    shown_votes,
    user_uuid,
    vote_from,
)
from goldsmith.gold.exchange.label_studio_config import REASONS
from goldsmith.gold.exchange.rows import json_rows, part
from goldsmith.gold.exchange.shown import beside, from_json, order_of, pair_from, replies_of, votes_beside
from goldsmith.store import atomic
from goldsmith.types import Pair, Side, Vote, VoteChoice

CARRIED = ("vote_id", "annotator", "round", "shown_order", "tools", "seconds", "changed_after_hint", "at")
RECORDS, SETTINGS, DATASET = "records.json", ".argilla/settings.json", ".argilla/dataset.json"
PROMPT_FIELDS = ("prompt", "instruction", "input", "question", "context")
REPLY_FIELDS = (RESPONSES, ("response1", "response2"), ("response-1", "response-2"), ("generation-0", "generation-1"))
Rated = dict[str, dict[str, Any]]


def write(items: Iterable[Item], path: Path, seed: int) -> Held:
    """Write a folder that `argilla.Dataset.from_disk` reads."""
    known = list(items)
    votes = [vote for item in known for vote in item.votes]
    reasons = tuple(sorted({vote.reason for vote in votes if vote.reason} - {*REASONS, NO_REASON}))
    with atomic.write_directory(path) as folder:
        (folder / ".argilla").mkdir()
        for name, value in (
            (RECORDS, [record_of(item, seed) for item in known]),
            (SETTINGS, settings(reasons)),
            (DATASET, dataset(path.name)),
        ):
            (folder / name).write_text(json.dumps(value, ensure_ascii=False, indent=1), encoding="utf-8")
    further = sum(max(0, len(item.suggestions) - 1) for item in known)
    return Held(carried=carried(votes, CARRIED, one_of_each=True), not_held=+Counter({"suggestions": further}))


def read(path: Path) -> Read:
    """Return the items of a folder, or of a file of records (`records.to_json`, or flat rows of `records.to_list(flatten=True)`).

    Raises:
        DataError: a record is no pair, or a response no vote; names file:line and field.
    """
    items, dropped, edited, num_rows = [], Counter[str](), list[str](), 0
    for place, row in json_rows(path / RECORDS if path.is_dir() else path):
        num_rows += 1
        record = row if "fields" in row else _nested(row, place)
        about = part(record, "metadata", dict, place, {})
        pair, order, names = _pair(record, about, place)
        votes = _votes(record, about, pair, order, names, place, dropped, edited)
        items.append(
            Item(pair_id=pair.pair_id, pair=pair, votes=tuple(votes), attributes=from_json(about, "attributes", dict, place))
        )
    return Read(items=items, num_rows=num_rows, dropped=dict(dropped), edited=edited)


def record_of(item: Item, seed: int) -> dict[str, Any]:
    """Return an item as a record, in the shape of `Record.to_dict`."""
    assert item.pair is not None, "only pairs with texts are written"
    order = order_of(item, seed)
    fields = {PROMPT: shown_text(item.pair), **dict(zip(RESPONSES, replies_of(item.pair, order), strict=True))}
    responses: dict[str, list[dict[str, Any]]] = {}
    for annotator, votes in shown_votes(item.votes).items():
        for question, value in _values(answer_of(votes[0]), order).items():
            responses.setdefault(question, []).append({"value": value, "user_id": user_uuid(annotator), "status": "submitted"})
    return {
        "id": item.pair_id,
        "fields": fields,
        "metadata": beside(item, order),
        "suggestions": {PREFERENCE: _suggestion(item.suggestions[0], order)} if item.suggestions else {},
        "responses": responses,
        "vectors": {},
        "_server_id": None,
    }


def _suggestion(suggestion: Suggestion, order: Sequence[Side]) -> dict[str, Any]:
    return {"value": _ranking(suggestion.choice, order), "score": score_of(suggestion), "agent": suggestion.model}


def _values(answer: Answer, order: Sequence[Side]) -> dict[str, Any]:
    """An answer by question. The ranking is always given, as it is required."""
    found: dict[str, Any] = {PREFERENCE: _ranking(answer.choice, order)}
    if answer.strength:
        found[STRENGTH] = STRENGTHS[answer.strength]
    if answer.confidence:
        found[CONFIDENCE] = answer.confidence
    if answer.rationale:
        found[RATIONALE] = answer.rationale
    if answer.choice == "discard":
        found[DISCARD] = answer.reason or NO_REASON
    return found


def _ranking(choice: VoteChoice, order: Sequence[Side]) -> list[dict[str, Any]]:
    ranks = {side: 2 if choice in ("first", "second") and choice != side else 1 for side in order}
    return [{"value": name, "rank": ranks[side]} for name, side in zip(RESPONSES, order, strict=True)]


def _pair(record: dict[str, Any], about: dict[str, Any], place: str) -> tuple[Pair, list[Side], tuple[str, str]]:
    fields = part(record, "fields", dict, place)
    names = next((names for names in REPLY_FIELDS if names[0] in fields), RESPONSES)
    prompt = next((fields[name] for name in PROMPT_FIELDS if fields.get(name)), None)
    if isinstance(prompt, list):
        about, prompt = {"context": prompt, **about}, None
    for name in names:
        part(record, f"fields.{name}", str, place)
    shown = [fields[name] for name in names]
    pair, order = pair_from(prompt, shown, [f"fields.{name}" for name in names], about, place)
    return pair, order, names


def _votes(
    record: dict[str, Any],
    about: dict[str, Any],
    pair: Pair,
    order: list[Side],
    names: tuple[str, str],
    place: str,
    dropped: Counter[str],
    edited: list[str],
) -> list[Vote]:
    ours = {user_uuid(name): votes for name, votes in shown_votes(votes_beside(about, pair, place)).items()}
    rated = _by_rater(part(record, "responses", dict, place, {}), place)
    votes: list[Vote] = []
    for user, values in rated.items():
        status = values.pop("status", None)
        if status == "draft":
            dropped["draft"] += 1
            continue
        answer = _answer(values, status, order, names, f"{place}: responses of {user}")
        if answer is None:
            dropped["empty-response"] += 1
        elif user in ours:
            votes += given_back(ours[user], answer, edited)
        else:
            about_vote = {"pair_id": pair.pair_id, "annotator": f"argilla:{user}", "round": "first", "shown_order": order}
            votes.append(
                vote_from(answer, f"{place}: responses of {user}", vote_id=f"argilla:{pair.pair_id}:{user}", **about_vote)
            )
    if ours.keys() - rated.keys():
        dropped["removed-there"] += sum(len(ours[user]) for user in ours.keys() - rated.keys())
    return votes


def _by_rater(responses: Mapping[str, Any], place: str) -> Rated:
    """Answers by rater and question, and the response's `status` where the file tells it."""
    found: Rated = {}
    for question, given in responses.items():
        if not isinstance(given, list):
            raise DataError(f"{place}: field 'responses.{question}' is {type(given).__name__}; expected a list of responses")
        for number, response in enumerate(given):
            where = f"{place}: responses.{question}[{number}]"
            values = found.setdefault(part(response, "user_id", str, where), {})
            if response.get("value") is not None:
                values[question] = response["value"]
            if response.get("status"):
                values["status"] = str(response["status"])
    return found


def _answer(
    values: dict[str, Any], status: str | None, order: Sequence[Side], names: tuple[str, str], place: str
) -> Answer | None:
    """What one rater's answers say together; None when there is no choice among them.

    Raises:
        DataError: the ranking is none.
    """
    strengths = {text: number for number, text in STRENGTHS.items()}
    confidence = values.get(CONFIDENCE)
    rest: dict[str, Any] = {
        "confidence": min(3, max(1, confidence)) if isinstance(confidence, int) else None,
        "rationale": str(values.get(RATIONALE) or ""),
    }
    if status == "discarded":
        return Answer(choice="discard", **rest)
    if values.get(DISCARD):
        reason = str(values[DISCARD])
        return Answer(choice="discard", reason=None if reason == NO_REASON else reason, **rest)
    ranking = values.get(PREFERENCE) or next((value for value in values.values() if isinstance(value, list)), None)
    if ranking is None:
        return None
    choice = _choice(ranking, order, names, place)
    strength = strengths.get(str(values.get(STRENGTH)), 1) if choice != "tie" else None
    return Answer(choice=choice, strength=strength, **rest)


def _choice(ranking: Any, order: Sequence[Side], names: tuple[str, str], place: str) -> VoteChoice:
    try:
        ranks = {str(row["value"]): int(row["rank"]) for row in ranking}
        left, right = ranks[names[0]], ranks[names[1]]
    except (TypeError, KeyError, ValueError, OverflowError):
        raise DataError(
            f"{place}: field '{PREFERENCE}' is {str(ranking)[:80]!r}; expected the rank of '{names[0]}' and of '{names[1]}'"
        ) from None
    return "tie" if left == right else order[0 if left < right else 1]


def _nested(row: dict[str, Any], place: str) -> dict[str, Any]:
    """A flat row as a record: `QUESTION.responses`, `.responses.users` and `.responses.status` are lists side by side."""
    responses: dict[str, list[dict[str, Any]]] = {}
    for key in row:
        question, _, rest = key.partition(".")
        if rest == "responses" and row[key]:
            users = part({"users": row.get(f"{key}.users")}, "users", list, f"{place}: {key}")
            status = row.get(f"{key}.status") or [None] * len(users)
            if not len(row[key]) == len(users) == len(status):
                raise DataError(f"{place}: fields '{key}' and '{key}.users' are of different lengths")
            responses[question] = [
                {"value": value, "user_id": user, "status": state}
                for value, user, state in zip(row[key], users, status, strict=True)
            ]
    plain = {key: value for key, value in row.items() if "." not in key}
    return {"fields": plain, "metadata": plain, "responses": responses}
