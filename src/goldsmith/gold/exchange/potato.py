"""Potato: a folder with its configuration, the pairs, and each annotator's state, as Potato itself keeps it.

Potato shows an item's whole record to the browser, so that whole votes ride in a file of their own beside it (`votes.jsonl`), which Potato does not read.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from goldsmith.errors import DataError
from goldsmith.gold.exchange import jsonl
from goldsmith.gold.exchange.item import (
    Answer,
    Held,
    Item,
    Read,
    answer_of,
    carried,
    given_back,
    shown_text,
    shown_votes,
    vote_from,
)
from goldsmith.gold.exchange.label_studio_config import REASONS, STRENGTHS
from goldsmith.gold.exchange.potato_config import (
    CONFIDENCE,
    CONFIG,
    DATA,
    DISCARD,
    NO_REASON,
    OUTPUT,
    PREFERENCE,
    RATIONALE,
    STRENGTH,
    config,
)
from goldsmith.gold.exchange.rows import json_rows, line_of, part, read_object, read_text
from goldsmith.gold.exchange.shown import VOTES, beside, from_json, order_of, pair_from, replies_of
from goldsmith.identity import canonical_json, digest
from goldsmith.store import atomic
from goldsmith.types import Pair, Side, Vote

CARRIED = ("vote_id", "round", "shown_order", "tools", "seconds", "changed_after_hint", "at")
RIDING, STATE = "votes.jsonl", "user_state.json"
LETTERS = {"A": 0, "B": 1, "left": 0, "right": 1}
REPLIES, PROMPTS = ("responses", "items", "candidates"), ("text", "prompt", "question", "instruction")
PLAIN_NAME = re.compile(r"^[A-Za-z0-9_@][A-Za-z0-9_.@+-]{0,79}$")
Shown = dict[str, tuple[Pair, list[Side], dict[str, Any] | None]]


def write(items: Iterable[Item], path: Path, seed: int) -> Held:
    """Write a folder that `potato start` takes as it is."""
    known = list(items)
    votes = [vote for item in known for vote in item.votes]
    reasons = tuple(sorted({vote.reason for vote in votes if vote.reason} - {*REASONS, NO_REASON}))
    with atomic.write_directory(path) as folder:
        (folder / "data").mkdir()
        (folder / CONFIG).write_text(config(path.name, reasons), encoding="utf-8")
        (folder / DATA).write_text("".join(canonical_json(row_of(item, seed)) + "\n" for item in known), encoding="utf-8")
        riding = [Item(pair_id=item.pair_id, pair=None, votes=item.votes) for item in known if item.votes]
        (folder / RIDING).write_text("".join(canonical_json(jsonl.row_of(item)) + "\n" for item in riding), encoding="utf-8")
        for annotator, state in _states(known, seed).items():
            place = folder / OUTPUT / (annotator if PLAIN_NAME.match(annotator) else f"rater-{digest(annotator)[:16]}")
            place.mkdir(parents=True)
            (place / STATE).write_text(json.dumps(state, ensure_ascii=False, indent=1), encoding="utf-8")
    return Held(
        carried=carried(votes, CARRIED, one_of_each=True),
        not_held=+Counter({"suggestions": sum(len(item.suggestions) for item in known)}),
    )


def read(path: Path) -> Read:
    """Return the items of a task's folder: its data, and every `user_state.json` below it.

    Raises:
        DataError: an item is no pair, or an answer no vote; names file:line and field.
    """
    if not path.is_dir():
        raise DataError(f"{path}: not a folder; name the folder of a Potato task (with {CONFIG}, data and {OUTPUT})")
    _check_order_is_fixed(path)
    shown = _shown(path)
    ours = (
        {item.pair_id: shown_votes(item.votes) for item in jsonl.read(path / RIDING).items} if (path / RIDING).is_file() else {}
    )
    dropped, edited = Counter[str](), list[str]()
    votes: dict[str, list[Vote]] = {name: [] for name in shown}
    left = {(name, rater): given for name, raters in ours.items() for rater, given in raters.items() if name in shown}
    for annotator, name, values, place in _answers(path):
        if name not in shown:
            raise DataError(
                f"{place}: field '{name}' is an item that is not in the data of this task; put its file below {path}/data"
            )
        pair, order, _ = shown[name]
        answer = _answer(values, order, place)
        known = left.pop((name, annotator), None)
        if answer is None:
            dropped["empty-answer"] += 1
        elif known is not None:
            votes[name] += given_back(known, answer, edited)
        else:
            about = {"pair_id": pair.pair_id, "annotator": f"potato:{annotator}"[:200], "round": "first", "shown_order": order}
            votes[name].append(vote_from(answer, place, vote_id=f"potato:{pair.pair_id}:{annotator}"[:200], **about))
    if left:
        dropped["removed-there"] += sum(map(len, left.values()))
    items = [
        Item(pair_id=pair.pair_id, pair=pair, votes=tuple(votes[name]), attributes=attributes)
        for name, (pair, _, attributes) in shown.items()
    ]
    return Read(items=items, num_rows=len(items), dropped=dict(dropped), edited=edited)


def row_of(item: Item, seed: int) -> dict[str, Any]:
    """Return an item as a row of Potato's data."""
    assert item.pair is not None, "only pairs with texts are written"
    order = order_of(item, seed)
    about = {name: value for name, value in beside(item, order).items() if name not in (VOTES, "pair_id")}
    return {"id": item.pair_id, "text": shown_text(item.pair), "responses": list(replies_of(item.pair, order)), **about}


def _states(items: Sequence[Item], seed: int) -> dict[str, dict[str, Any]]:
    """Each annotator's state: what is answered, by item."""
    found: dict[str, dict[str, Any]] = {}
    for item in items:
        order = order_of(item, seed)
        for annotator, votes in shown_votes(item.votes).items():
            state = found.setdefault(annotator, {"user_id": annotator, "instance_id_to_label_to_value": {}})
            state["instance_id_to_label_to_value"][item.pair_id] = _labels(answer_of(votes[0]), order)
    return found


def _labels(answer: Answer, order: Sequence[Side]) -> list[list[Any]]:
    letter = "tie" if answer.choice not in order else "AB"[order.index(answer.choice)]
    found: list[tuple[str, str, Any]] = [(PREFERENCE, "selection", letter)]
    for schema, label in (
        (STRENGTH, STRENGTHS.get(answer.strength or 0)),
        (CONFIDENCE, str(answer.confidence) if answer.confidence else None),
        (DISCARD, (answer.reason or NO_REASON) if answer.choice == "discard" else None),
    ):
        if label:
            found.append((schema, label, label))
    if answer.rationale:
        found.append((RATIONALE, "text_box", answer.rationale))
    return [[{"schema": schema, "name": name}, value] for schema, name, value in found]


def _check_order_is_fixed(path: Path) -> None:
    place = path / CONFIG
    text = read_text(place) if place.is_file() else ""
    asked = re.search(r"^\s*(randomize_order|option_randomization)\s*:\s*(true|yes|on)\b", text, re.IGNORECASE | re.MULTILINE)
    if asked:
        raise DataError(
            f"{place}:{line_of(text, asked.group(0))}: field '{asked.group(1)}' is on, so that A and B are not the same reply for everybody; "
            "such votes cannot be read"
        )


def _shown(path: Path) -> Shown:
    """The pairs of a task with the order of their replies, by the id that Potato knows them by."""
    files = sorted(file for file in (path / "data").glob("*") if file.suffix in (".json", ".jsonl"))
    if not files:
        raise DataError(f"{path}/data: no file of items (.json or .jsonl); name the folder of a Potato task")
    found: Shown = {}
    for file in files:
        for place, row in json_rows(file):
            name = str(part(row, "id", (str, int), place))  # type: ignore[arg-type]
            key = next((key for key in REPLIES if isinstance(row.get(key), list)), REPLIES[0])
            replies = part(row, key, list, place)
            if len(replies) != 2:
                raise DataError(f"{place}: field '{key}' has {len(replies)} replies; a pair has two")
            prompt = next((row[key] for key in PROMPTS if isinstance(row.get(key), str)), None)
            about = {name: value for name, value in row.items() if name in ("pair_id", "shown_order", "context", "parts")}
            pair, order = pair_from(prompt, replies, (f"{key}[0]", f"{key}[1]"), about, place)
            if name in found:
                raise DataError(f"{place}: field 'id' is {name!r}, which stands twice in the data")
            found[name] = (pair, order, from_json(row, "attributes", dict, place))
    return found


def _answers(path: Path) -> Iterator[tuple[str, str, dict[str, dict[str, Any]], str]]:
    """Annotator, item, answers by schema and label, and place, of every state below a folder."""
    for file in sorted(path.rglob(STATE)):
        state = read_object(file)
        text = read_text(file)
        annotator = str(state.get("user_id") or file.parent.name)
        for name, given in part(state, "instance_id_to_label_to_value", dict, f"{file}:1", {}).items():
            place = f"{file.relative_to(path)}:{line_of(text, json.dumps(name, ensure_ascii=False) + ':')}"
            values: dict[str, dict[str, Any]] = {}
            for entry in _entries(given):
                if not (isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], dict)):
                    raise DataError(f"{place}: field '{name}' holds {str(entry)[:60]!r}; expected [{{schema, name}}, value]")
                values.setdefault(str(entry[0].get("schema")), {})[str(entry[0].get("name"))] = entry[1]
            yield annotator, name, values, place


def _entries(given: Any) -> list[Any]:
    """The answers to one item: a list in Potato's own files, an object of objects in its export."""
    if isinstance(given, dict) and all(isinstance(labels, dict) for labels in given.values()):
        return [[{"schema": schema, "name": name}, value] for schema, labels in given.items() for name, value in labels.items()]
    return given if isinstance(given, list) else [given]


def _answer(values: dict[str, dict[str, Any]], order: Sequence[Side], place: str) -> Answer | None:
    """What one annotator says of one item; None when there is no choice in it.

    Raises:
        DataError: two answers contradict each other, or the choice is none.
    """
    for schema in (STRENGTH, CONFIDENCE, DISCARD):
        if len(values.get(schema, {})) > 1:
            raise DataError(f"{place}: field '{schema}' contradicts itself: {' and '.join(sorted(values[schema]))}")
    confidence = next(iter(values.get(CONFIDENCE, {})), "")
    rest: dict[str, Any] = {
        "confidence": int(confidence) if confidence in ("1", "2", "3") else None,
        "rationale": str(next(iter(values.get(RATIONALE, {}).values()), "")),
    }
    discard = next(iter(values.get(DISCARD, {})), None)
    if discard is not None:
        return Answer(choice="discard", reason=None if discard == NO_REASON else discard, **rest)
    chosen = next((given for given in values.values() if given.keys() & {"selection", "scale_value"}), None)
    if chosen is None:
        return None
    if "scale_value" in chosen:
        return _on_scale(chosen["scale_value"], order, rest, place)
    said = chosen["selection"]
    if said == "tie":
        return Answer(choice="tie", **rest)
    if not isinstance(said, str) or said not in LETTERS:
        raise DataError(f"{place}: field 'selection' is {said!r}; expected A, B or tie")
    label = next(iter(values.get(STRENGTH, {})), "")
    strength = next((number for number, text in STRENGTHS.items() if text == label), 1)
    return Answer(choice=order[LETTERS[said]], strength=strength, **rest)


def _on_scale(value: Any, order: Sequence[Side], rest: dict[str, Any], place: str) -> Answer:
    """An answer on a slider: negative is A, zero a tie, two or more from the middle much better."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise DataError(f"{place}: field 'scale_value' is {value!r}, not a number") from None
    if number == 0:
        return Answer(choice="tie", **rest)
    return Answer(choice=order[0 if number < 0 else 1], strength=2 if abs(number) >= 2 else 1, **rest)
