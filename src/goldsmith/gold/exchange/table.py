"""One vote a row: what CSV and Parquet share. A pair without votes is a row whose vote is empty."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from goldsmith.errors import DataError
from goldsmith.gold.exchange.item import Item, Read, check_id, check_texts, read_vote, texts
from goldsmith.gold.exchange.jsonl import suggestions_of
from goldsmith.gold.exchange.rows import context_of
from goldsmith.gold.exchange.shown import from_json
from goldsmith.identity import canonical_json
from goldsmith.types import Pair, Vote

TEXT_COLUMNS = ("pair_id", "context", "first", "second", "parts")
VOTE_COLUMNS = (
    "vote_id", "annotator", "round", "choice", "strength", "confidence", "rationale", "reason", "shown_first", "tools", "seconds",
    "changed_after_hint", "at",
)  # fmt: skip
ITEM_COLUMNS = ("attributes", "suggestions")
COLUMNS = TEXT_COLUMNS + VOTE_COLUMNS + ITEM_COLUMNS
NUMBERS = {"strength": int, "confidence": int, "seconds": float}
TRUTH = {"true": True, "1": True, "false": False, "0": False}
Cells = dict[str, Any]


def rows_of(items: Iterable[Item]) -> Iterator[Cells]:
    """Yield the rows of items; a cell is text, a number, a truth value or None (nothing there)."""
    for item in items:
        about = _pair_cells(item)
        last = {
            "attributes": None if item.attributes is None else canonical_json(item.attributes),
            "suggestions": canonical_json([one.model_dump() for one in item.suggestions]) if item.suggestions else None,
        }
        empty: Cells = dict.fromkeys(VOTE_COLUMNS)
        for cells in map(_vote_cells, item.votes) if item.votes else (empty,):
            yield {**about, **cells, **last}


def items_of(rows: Iterable[tuple[str, Mapping[str, Any]]]) -> Read:
    """Return the items of rows, each with its place; rows of one pair are one item, in the order of the file.

    The replies may stand in either order: a choice names the row's own columns.

    Raises:
        DataError: names place and field.
    """
    items: dict[str, Item] = {}
    num_rows = 0
    for place, row in rows:
        num_rows += 1
        item = _item(row, place)
        known = items.get(item.pair_id)
        items[item.pair_id] = item if known is None else _joined(known, item)
    return Read(items=list(items.values()), num_rows=num_rows)


def _pair_cells(item: Item) -> Cells:
    pair = item.pair
    if pair is None:
        return {**dict.fromkeys(TEXT_COLUMNS), "pair_id": item.pair_id}
    lists = {side: reply for side, reply in (("first", pair.first), ("second", pair.second)) if not isinstance(reply, str)}
    return {
        "pair_id": item.pair_id,
        "context": canonical_json(pair.messages),
        "first": None if "first" in lists else pair.first,
        "second": None if "second" in lists else pair.second,
        "parts": canonical_json(lists) if lists else None,
    }


def _vote_cells(vote: Vote) -> Cells:
    cells = {name: value for name, value in vote.model_dump().items() if name in VOTE_COLUMNS}
    return {**cells, "shown_first": vote.shown_order[0], "tools": canonical_json(cells["tools"]) if cells["tools"] else None}


def _item(row: Mapping[str, Any], place: str) -> Item:
    pair, is_swapped = _pair(row, place)
    name = pair.pair_id if pair else row.get("pair_id")
    if not isinstance(name, str) or not name:
        raise DataError(f"{place}: field 'pair_id' is missing; a row without texts names its pair by the id")
    vote = _vote(row, name, place, is_swapped)
    suggestions = _json(row, "suggestions", list, place) or []
    return Item(
        pair_id=name,
        pair=pair,
        votes=(vote,) if vote else (),
        suggestions=suggestions_of(suggestions, place),
        attributes=_json(row, "attributes", dict, place),
    )


def _pair(row: Mapping[str, Any], place: str) -> tuple[Pair | None, bool]:
    """The row's pair, and whether its columns stand the other way round than the pair's own."""
    parts = _json(row, "parts", dict, place) or {}
    replies: list[Any] = [parts.get(side, row.get(side)) for side in ("first", "second")]
    if replies == [None, None]:
        return None, False
    check_texts(place, ("first", "second"), replies)
    if row.get("context"):
        context = context_of(_json(row, "context", list, place), "context", place)
    elif row.get("prompt"):
        context = [{"role": "user", "content": str(row["prompt"])}]
    else:
        raise DataError(f"{place}: field 'context' (messages as JSON) is missing, and so is 'prompt' (a text)")
    pair = texts(context, replies[0], replies[1], place)
    check_id(place, row.get("pair_id") or None, pair)
    return pair, pair.first != replies[0]


def _vote(row: Mapping[str, Any], name: str, place: str, is_swapped: bool) -> Vote | None:
    if row.get("choice") in (None, ""):
        _check_no_vote(row, place)
        return None
    cells = {column: row[column] for column in VOTE_COLUMNS if row.get(column) is not None}
    shown = cells.pop("shown_first", None) or "first"
    other = {"first": "second", "second": "first"}
    if not isinstance(shown, str) or shown not in other:
        raise DataError(f"{place}: field 'shown_first' is {shown!r}; expected first or second")
    if is_swapped and isinstance(cells["choice"], str):
        shown = other[shown]
        cells["choice"] = other.get(cells["choice"], cells["choice"])
    if "tools" in cells:
        cells["tools"] = _json(row, "tools", list, place)
    if cells.get("annotator") and not cells.get("vote_id"):
        cells["vote_id"] = f"table:{name}:{cells.get('round', 'first')}:{cells['annotator']}"[:200]
    return read_vote({"round": "first", **cells, "pair_id": name, "shown_order": [shown, other[shown]]}, place)


def _check_no_vote(row: Mapping[str, Any], place: str) -> None:
    given = [column for column in ("annotator", "vote_id", "strength", "rationale") if row.get(column) not in (None, "")]
    if given:
        raise DataError(f"{place}: field 'choice' is empty, but '{given[0]}' is not; a vote is first, second, tie or discard")


def _joined(known: Item, item: Item) -> Item:
    return Item(
        pair_id=known.pair_id,
        pair=known.pair or item.pair,
        votes=known.votes + item.votes,
        suggestions=known.suggestions or item.suggestions,
        attributes=known.attributes if known.attributes is not None else item.attributes,
    )


def _json(row: Mapping[str, Any], column: str, kind: type, place: str) -> Any:
    """As `from_json`; a table's empty cell holds nothing."""
    return None if row.get(column) == "" else from_json(row, column, kind, place)
