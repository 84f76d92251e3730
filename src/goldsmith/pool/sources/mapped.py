"""Any other table, by `--map chosen=col,rejected=col,prompt=col`: the columns are renamed, then read as TRL's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from goldsmith.errors import UserError
from goldsmith.pool.sources.draft import Draft, Format, Reject, Row
from goldsmith.pool.sources.hh import HH
from goldsmith.pool.sources.trl import EXPLICIT, IMPLICIT

FIELDS = ("prompt", "chosen", "rejected", "strength", "source", "label_origin")
"""What a column can be mapped to."""
_NEEDED = ("chosen", "rejected")


def mapped(column_map: Mapping[str, str]) -> Format:
    """Return the format that reads the given columns; `a.b` names a field inside an object, and a field that is not mapped
    is read from the column of its own name, where there is one.

    Raises:
        UserError: an unknown field on the left, or one column for both replies.
    """
    unknown = sorted(set(column_map) - set(FIELDS))
    if unknown:
        raise UserError(f"--map {unknown[0]}=...: unknown field; a column can be mapped to {', '.join(FIELDS)}")
    names = {field: column_map.get(field, field) for field in FIELDS}
    needed = [field for field in FIELDS if field in column_map or field in _NEEDED]
    if names["chosen"] == names["rejected"]:
        raise UserError(f"--map: chosen and rejected are both read from {names['chosen']!r}; map each to a column of its own")

    def matches(row: Row) -> bool:
        return all(names[field] in row or names[field].split(".")[0] in row for field in needed)

    def read(row: Row) -> list[Draft]:
        renamed = {field: _get(row, names[field]) for field in FIELDS if field in needed or field in row}
        if "prompt" in renamed:
            return EXPLICIT.read(renamed)
        return HH.read(renamed) if HH.matches(renamed) else IMPLICIT.read(renamed)

    columns = ", ".join(f"{field}={names[field]}" for field in needed)
    return Format("mapped", columns, matches, read)


def _get(row: Row, column: str) -> Any:
    value: Any = row
    for key in [column] if column in row else column.split("."):
        if not isinstance(value, dict) or key not in value:
            raise Reject("unknown-fields", f"no column {column!r}; the row has {sorted(row)[:20]}")
        value = value[key]
    return value
