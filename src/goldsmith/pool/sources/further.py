"""The columns of a row beside the pair: ids, sources, metadata, scores, whatever somebody keeps there and wants back.

Which columns make the pair only its format's reader knows, so it is watched: what it asks for is the pair, the rest is not. A few columns
are read and still describe the pair rather than make it.
"""

from __future__ import annotations

import json
import re
from typing import Any

from goldsmith.pool.sources.draft import Draft, Format, Row

DESCRIBING = frozenset({"id", "source", "meta", "strength", "margin", "label_origin", "label_source"})
"""Columns that are further ones though readers use them."""
_SIDED = re.compile(r"(?P<before>.+_)?(?P<side>chosen|rejected)(?(before)|(?P<after>_.+))")


class _Watched(dict[str, Any]):
    """A row that remembers which of its columns were asked for."""

    def __init__(self, row: Row) -> None:
        super().__init__(row)
        self.used: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.used.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self.used.add(name)
        return super().get(name, default)


def with_further(known: Format) -> Format:
    """Return the format with a reader whose drafts hold their row's further columns, as JSON can hold them."""

    def read(row: Row) -> list[Draft]:
        watched = _Watched(row)
        drafts = known.read(watched)
        is_further = {name: name not in watched.used or name in DESCRIBING or other_side(name) is not None for name in row}
        further = _plain({name: value for name, value in row.items() if is_further[name]})
        for draft in drafts:
            draft.further = further
        return drafts

    return Format(known.name, known.columns, known.matches, read)


def other_side(name: str) -> str | None:
    """Return the column that says of the other reply what this one says of its own: `score_rejected` of `score_chosen`; None: no such name."""
    found = _SIDED.fullmatch(name)
    if found is None:
        return None
    other = "rejected" if found["side"] == "chosen" else "chosen"
    return f"{found['before'] or ''}{other}{found['after'] or ''}"


def _plain(row: Row) -> Row:
    """A row whose values JSON can hold: what is not finite as null, half characters as `?`, anything else that JSON lacks as text."""
    text = json.dumps(row, ensure_ascii=False, default=str).encode("utf-8", "replace").decode("utf-8")
    found: Row = json.loads(text, parse_constant=lambda _: None)
    return found
