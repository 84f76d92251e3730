"""Rows of files of recorded verdicts, and which pair a row is about: its id, and which side its responses are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goldsmith.identity import canonical_json, pair_id
from goldsmith.pool.sources.containers import container_of, documents, records
from goldsmith.pool.sources.draft import Draft, Reject
from goldsmith.pool.sources.formats import format_of
from goldsmith.pool.sources.lines import Problem
from goldsmith.types import Side

Row = dict[str, Any]
MAX_LINE_BYTES = 64 << 20
OTHER: dict[Side, Side] = {"first": "second", "second": "first"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RowPair:
    """The pair of a row.

    Attributes:
        pair_id: its id.
        one: which of the pair's own sides is the row's response 1; None when the row does not number its responses.
        chosen: which side the row calls chosen; None when it calls neither so.
    """

    pair_id: str
    one: Side | None
    chosen: Side | None = None


def rows_of(path: Path) -> Iterator[tuple[str, Row | Problem]]:
    """Yield (`file:line`, row) of a file or folder in any container that `pool add` reads.

    Raises:
        DataError: nothing there, or a file that breaks off.
    """
    for document in documents(path):
        for line, row in records(document, container_of(document), MAX_LINE_BYTES):
            yield f"{document.name}:{line}", row


def field_of(row: Row, name: str) -> Any:
    """Return a column's value; `a.b` names a field inside an object, and a column of just that name goes first.

    Raises:
        KeyError: there is no such column.
    """
    if name in row:
        return row[name]
    value: Any = row
    for key in name.split("."):
        if not isinstance(value, dict) or key not in value:
            raise KeyError(name)
        value = value[key]
    return value


def pair_of_responses(context: list[Row], one: Any, two: Any) -> RowPair:
    """Return the pair of a conversation and two numbered responses.

    Raises:
        Reject: `identical-replies`, `lone-surrogate`, `wrong-type`.
    """
    if one == two:
        raise Reject("identical-replies", str(one)[:80])
    if not isinstance(one, str | list) or not isinstance(two, str | list):
        raise Reject("wrong-type", f"responses are {type(one).__name__} and {type(two).__name__}")
    try:
        name = pair_id(context, one, two)
    except UnicodeEncodeError:
        raise Reject("lone-surrogate", "half a character pair") from None
    return RowPair(pair_id=name, one="first" if _key(one) < _key(two) else "second")


def pair_of_draft(draft: Draft) -> RowPair:
    """Return the pair that a format's reader made of a row; raises as `pair_of_responses`."""
    pair = pair_of_responses(draft.context, draft.chosen, draft.rejected)
    chosen = pair.one
    assert chosen is not None
    numbered: dict[int, Side] = {1: chosen, 2: OTHER[chosen]}
    return RowPair(pair_id=pair.pair_id, one=numbered.get(draft.chosen_number), chosen=chosen)


def pair_of_row(row: Row) -> RowPair:
    """Return the pair of a row in a known format.

    Raises:
        Reject: as `pair_of_responses`; `unknown-format`, or `several-pairs` in one row.
    """
    known = format_of(row)
    if known is None:
        raise Reject("unknown-format", f"keys: {', '.join(map(str, list(row)[:20]))}")
    drafts = known.read(row)
    if len(drafts) != 1:
        raise Reject("several-pairs", f"{len(drafts)} pairs in one row of format {known.name}")
    return pair_of_draft(drafts[0])


def _key(content: Any) -> str:
    return content if isinstance(content, str) else canonical_json(content)
