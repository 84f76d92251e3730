"""Label Studio: one task a pair, votes as annotations, suggestions as predictions.

A task shows its pair in one order to everybody, drawn by its id (`data.shown_order`). What a person says is in the results that Label Studio shows;
the whole vote rides in `meta` of its first result, which Label Studio keeps and gives back.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from goldsmith.errors import DataError
from goldsmith.gold.exchange.item import (
    Answer,
    Held,
    Item,
    Read,
    Suggestion,
    answer_of,
    carried,
    check_id,
    check_texts,
    is_plain,
    order_for,
    read_vote,
    reply_text,
    score_of,
    shown_text,
    texts,
    vote_from,
)
from goldsmith.gold.exchange.label_studio_config import (
    COMPARISON,
    CONFIDENCE,
    LEFT,
    PROMPT,
    RATIONALE,
    REASON,
    REASONS,
    RIGHT,
    STRENGTH,
    STRENGTHS,
    VERDICT,
    config,
)
from goldsmith.gold.exchange.rows import context_of, json_rows, part
from goldsmith.identity import digest
from goldsmith.store import atomic
from goldsmith.types import Pair, Side, Vote, VoteChoice

CARRIED = ("vote_id", "annotator", "round", "shown_order", "tools", "changed_after_hint", "at")
OURS = "goldsmith"
POSITIONS = {"left": 0, "right": 1}
REPLY_FIELDS = (("answer1", "answer2"), ("response1", "response2"), ("response_1", "response_2"), ("text1", "text2"))
PROMPT_FIELDS = ("prompt", "question", "instruction", "text")


def write(items: Iterable[Item], path: Path, seed: int) -> Held:
    """Write tasks as a JSON list, and the project's interface beside it (`NAME.config.xml`)."""
    known = list(items)
    atomic.write_text(path, json.dumps([task_of(item, seed) for item in known], ensure_ascii=False, indent=1) + "\n")
    votes = [vote for item in known for vote in item.votes]
    given = tuple(sorted({vote.reason for vote in votes if vote.reason} - set(REASONS)))
    atomic.write_text(config_path(path), config(REASONS + given))
    parts = sum(not isinstance(text, str) for item in known if item.pair for text in (item.pair.first, item.pair.second))
    return Held(carried=carried(votes, CARRIED) + Counter({"parts": parts}))


def config_path(path: Path) -> Path:
    """Return where the interface of a file of tasks stands."""
    return path.with_name(f"{path.name.removesuffix('.json')}.config.xml")


def read(path: Path) -> Read:
    """Return the items of a Label Studio export (JSON, not JSON-MIN); annotations that are drafts or skipped are counted.

    Raises:
        DataError: a task is no pair, or an annotation contradicts itself; names file:line and field.
    """
    return read_tasks(json_rows(path))


def read_tasks(tasks: Iterable[tuple[str, dict[str, Any]]]) -> Read:
    """Return the items of tasks, each with its place."""
    items, dropped, edited, num_rows = [], Counter[str](), list[str](), 0
    for place, task in tasks:
        num_rows += 1
        pair, order = _pair(task, place)
        votes = []
        for number, row in enumerate(part(task, "annotations", list, place, [])):
            found = _vote(row, task, pair, order, f"{place}: annotations[{number}]", edited)
            if isinstance(found, str):
                dropped[found] += 1
            else:
                votes.append(found)
        attributes = part(task, "data.attributes", dict, place, None)
        items.append(Item(pair_id=pair.pair_id, pair=pair, votes=tuple(votes), attributes=attributes))
    return Read(items=items, num_rows=num_rows, dropped=dict(dropped), edited=edited)


def task_of(item: Item, seed: int) -> dict[str, Any]:
    """Return an item as a task: `data`, `annotations` and `predictions`."""
    pair = item.pair
    assert pair is not None, "only pairs with texts are written"
    order = order_for(item.pair_id, seed)
    replies = {"first": pair.first, "second": pair.second}
    data: dict[str, Any] = {"pair_id": item.pair_id, "prompt": shown_text(pair)}
    data |= {LEFT: reply_text(replies[order[0]]), RIGHT: reply_text(replies[order[1]]), "shown_order": order}
    if not is_plain(pair):
        data["context"] = pair.messages
    parts = {side: reply for side, reply in replies.items() if not isinstance(reply, str)}
    if parts:
        data["parts"] = parts
    if item.attributes is not None:
        data["attributes"] = item.attributes
    return {
        "data": data,
        "annotations": [_annotation(vote, order) for vote in item.votes],
        "predictions": [prediction_of(one, item.pair_id, order) for one in item.suggestions],
    }


def prediction_of(suggestion: Suggestion, name: str, order: Sequence[Side]) -> dict[str, Any]:
    """Return a suggestion as a prediction; its score is the probability of what is suggested."""
    results = _results(Answer(choice=suggestion.choice), order, f"{name}:{suggestion.model}")
    return {"model_version": suggestion.model, "score": score_of(suggestion), "result": results}


def _annotation(vote: Vote, order: Sequence[Side]) -> dict[str, Any]:
    results = _results(answer_of(vote), order, vote.vote_id)
    results[0]["meta"] = {OURS: vote.model_dump()}
    return {"result": results, "was_cancelled": False, "ground_truth": False, "lead_time": vote.seconds}


def _results(answer: Answer, order: Sequence[Side], name: str) -> list[dict[str, Any]]:
    """An answer as results, the choice first."""
    found: list[tuple[str, str, dict[str, Any]]] = []
    if answer.choice in ("first", "second"):
        found.append((COMPARISON, "pairwise", {"selected": "left" if answer.choice == order[0] else "right"}))
    else:
        found.append((VERDICT, "choices", {"choices": [answer.choice]}))
    if answer.strength:
        found.append((STRENGTH, "choices", {"choices": [STRENGTHS[answer.strength]]}))
    if answer.confidence:
        found.append((CONFIDENCE, "rating", {"rating": answer.confidence}))
    if answer.rationale:
        found.append((RATIONALE, "textarea", {"text": [answer.rationale]}))
    if answer.reason:
        found.append((REASON, "choices", {"choices": [answer.reason]}))
    key = digest(name)[:8]
    return [
        {
            "id": f"{key}-{control}",
            "from_name": control,
            "to_name": LEFT if control == COMPARISON else PROMPT,
            "type": kind,
            "value": value,
        }
        for control, kind, value in found
    ]


def _pair(task: dict[str, Any], place: str) -> tuple[Pair, list[Side]]:
    """The pair of a task, and the order in which it was shown."""
    data = part(task, "data", dict, place)
    left, right = next((names for names in REPLY_FIELDS if names[0] in data), REPLY_FIELDS[0])
    shown = [part(task, f"data.{name}", str, place) for name in (left, right)]
    parts = part(task, "data.parts", dict, place, {})
    stated = part(task, "data.shown_order", list, place, None)
    if stated is not None and (len(stated) != 2 or set(map(str, stated)) != {"first", "second"}):
        raise DataError(f"{place}: field 'data.shown_order' is {stated!r}; it names first and second once each")
    replies: list[Any] = [parts.get(side, text) for side, text in zip(stated or ("", ""), shown, strict=True)]
    check_texts(place, (f"data.{left}", f"data.{right}"), replies)
    pair = texts(_context(data, place), replies[0], replies[1], place)
    check_id(place, data.get("pair_id"), pair)
    return pair, ["first", "second"] if pair.first == replies[0] else ["second", "first"]


def _context(data: dict[str, Any], place: str) -> list[dict[str, Any]]:
    if data.get("context") is not None:
        return context_of(data["context"], "data.context", place)
    name = next((name for name in PROMPT_FIELDS if isinstance(data.get(name), str)), None)
    if name is None:
        raise DataError(f"{place}: field 'data.prompt' is missing (or 'data.context', messages)")
    return [{"role": "user", "content": data[name]}]


def _vote(row: Any, task: dict[str, Any], pair: Pair, order: list[Side], place: str, edited: list[str]) -> Vote | str:
    """The vote of an annotation, or why it is none; notes in `edited` a vote of ours that says something else now."""
    results = part(row, "result", list, place, [])
    if part(row, "was_cancelled", bool, place, False):
        return "skipped"
    if not results:
        return "empty-annotation"
    answer = _answer(results, order, place)
    kept = [part(result, "meta", dict, place, {}) for result in results if isinstance(result, dict)]
    ours = next((meta[OURS] for meta in kept if OURS in meta), None)
    if ours is not None:
        vote = read_vote(ours, f"{place}.meta.{OURS}")
        if vote.pair_id != pair.pair_id:
            raise DataError(f"{place}: field 'meta.{OURS}.pair_id' is {vote.pair_id!r}, but the task is pair {pair.pair_id}")
        if answer_of(vote) != answer:
            edited.append(vote.vote_id)
        return vote
    return vote_from(
        answer,
        place,
        vote_id=_vote_id(row, task, place),
        pair_id=pair.pair_id,
        annotator=f"label-studio:{_rater(row, place)}",
        round="first",
        shown_order=order,
        seconds=float(part(row, "lead_time", (int, float), place, 0.0)),  # type: ignore[arg-type]
        at=part(row, "created_at", str, place, ""),
    )


def _vote_id(row: dict[str, Any], task: dict[str, Any], place: str) -> str:
    """A name that a file and the server give alike, so that a vote is never taken twice."""
    unique = row.get("unique_id")
    return f"label-studio:{unique}" if unique else f"label-studio:{task.get('project', '')}:{part(row, 'id', int, place)}"


def _rater(row: dict[str, Any], place: str) -> str:
    """Who annotated: the user's id, which both the file and the server tell."""
    by = row.get("completed_by")
    found = by.get("id", by.get("email")) if isinstance(by, dict) else by
    if not isinstance(found, (int, str)) or isinstance(found, bool) or found == "":
        raise DataError(
            f"{place}: field 'completed_by' is {by!r}; expected the annotator's id, without which votes cannot be told apart"
        )
    return str(found)


def _answer(results: list[Any], order: Sequence[Side], place: str) -> Answer:
    """What the results of one annotation say together.

    Raises:
        DataError: they contradict each other, or there is no choice among them.
    """
    selected = set(map(str, _values(results, "pairwise", "selected", place)))
    unknown = selected - POSITIONS.keys()
    if unknown:
        raise DataError(f"{place}: field 'result.value.selected' is {min(unknown)!r}; expected left or right")
    said: set[VoteChoice] = {order[POSITIONS[value]] for value in selected}
    said |= {value for value in _choice_of(results, VERDICT, place) if value in ("tie", "discard")}  # type: ignore[misc]
    if len(said) > 1:
        raise DataError(
            f"{place}: field 'result' contradicts itself: {' and '.join(sorted(said))} in one annotation; correct it there"
        )
    if not said:
        raise DataError(f"{place}: field 'result' has neither a pairwise selection nor a verdict (tie, discard)")
    choice = said.pop()
    strengths = {text: number for number, text in STRENGTHS.items()}
    strength = next((strengths.get(value) for value in _choice_of(results, STRENGTH, place)), None)
    ratings = [value for value in _values(results, "rating", "rating", place) if isinstance(value, int)]
    rationale = "\n".join(str(line) for value in _values(results, "textarea", "text", place) for line in _listed(value))
    return Answer(
        choice=choice,
        strength=(strength or 1) if choice in ("first", "second") else None,
        confidence=min(3, max(1, ratings[0])) if ratings else None,
        rationale=rationale,
        reason=next(iter(_choice_of(results, REASON, place)), None) if choice == "discard" else None,
    )


def _values(results: list[Any], kind: str, key: str, place: str, control: str | None = None) -> list[Any]:
    found = []
    for number, row in enumerate(results):
        if isinstance(row, dict) and row.get("type") == kind and control in (None, row.get("from_name")):
            value = part(row, "value", dict, f"{place}.result[{number}]")
            found.append(value.get(key))
    return found


def _choice_of(results: list[Any], control: str, place: str) -> list[str]:
    return [str(value) for values in _values(results, "choices", "choices", place, control) for value in _listed(values)]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
