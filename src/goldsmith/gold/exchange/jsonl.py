"""Our own format: one pair a line with everything said of it. It holds all that there is."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from goldsmith.errors import DataError
from goldsmith.gold.exchange.item import (
    Held,
    Item,
    Read,
    Suggestion,
    check_id,
    check_texts,
    read_vote,
    texts,
)
from goldsmith.gold.exchange.rows import context_of, json_lines, part
from goldsmith.identity import canonical_json
from goldsmith.store import atomic


def write(items: Iterable[Item], path: Path, seed: int) -> Held:
    """Write items, one a line."""
    atomic.write_text(path, "".join(canonical_json(row_of(item)) + "\n" for item in items))
    return Held()


def read(path: Path) -> Read:
    """Return the items of a file.

    Raises:
        DataError: a row is no item; names file:line and field.
    """
    items = [item_of(row, place) for place, row in json_lines(path)]
    return Read(items=items, num_rows=len(items))


def row_of(item: Item) -> dict[str, Any]:
    """Return an item as plain JSON values."""
    found: dict[str, Any] = {"pair_id": item.pair_id}
    if item.pair is not None:
        found |= {"context": item.pair.messages, "first": item.pair.first, "second": item.pair.second}
    found |= {"votes": [vote.model_dump() for vote in item.votes]}
    if item.suggestions:
        found["suggestions"] = [suggestion.model_dump() for suggestion in item.suggestions]
    if item.attributes is not None:
        found["attributes"] = item.attributes
    return found


def item_of(row: dict[str, Any], place: str) -> Item:
    """Return the item of a row.

    Raises:
        DataError: names place and field.
    """
    pair = None
    if "first" in row or "second" in row:
        replies: list[Any] = [row.get("first"), row.get("second")]
        check_texts(place, ("first", "second"), replies)
        pair = texts(context_of(row.get("context"), "context", place), replies[0], replies[1], place)
        check_id(place, row.get("pair_id"), pair)
    name = pair.pair_id if pair else part(row, "pair_id", str, place)
    votes = tuple(read_vote(vote, f"{place}: votes[{number}]") for number, vote in enumerate(part(row, "votes", list, place, [])))
    for number, vote in enumerate(votes):
        check_member(vote.pair_id, name, f"{place}: votes[{number}]")
    return Item(
        pair_id=name,
        pair=pair,
        votes=votes,
        suggestions=suggestions_of(part(row, "suggestions", list, place, []), place),
        attributes=part(row, "attributes", dict, place, None),
    )


def check_member(found: str, wanted: str, place: str) -> None:
    """Refuse a vote that stands with another pair than its own."""
    if found != wanted:
        raise DataError(f"{place}: field 'pair_id' is {found!r}, but the vote stands with pair {wanted}")


def suggestions_of(rows: list[Any], place: str) -> tuple[Suggestion, ...]:
    """Return the suggestions of a list of objects.

    Raises:
        DataError: names place and field.
    """
    try:
        return tuple(Suggestion.model_validate(row) for row in rows)
    except ValidationError as error:
        first = error.errors()[0]
        raise DataError(f"{place}: field 'suggestions.{'.'.join(map(str, first['loc']))}': {first['msg']}") from None
