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


def mapped(column_map: Mapping[str, str]) -> Format:
    """Return the format that reads the given columns; `a.b` names a field inside an object.

    Raises:
        UserError: an unknown field on the left, or `chosen`/`rejected` missing.
    """
    unknown = sorted(set(column_map) - set(FIELDS))
    if unknown:
        raise UserError(f"--map {unknown[0]}=...: unknown field; a column can be mapped to {', '.join(FIELDS)}")
    missing = [field for field in ("chosen", "rejected") if field not in column_map]
    if missing:
        raise UserError(f"--map: {missing[0]} is not mapped; write --map chosen=COLUMN,rejected=COLUMN[,prompt=COLUMN]")

    def matches(row: Row) -> bool:
        return all(column.split(".")[0] in row for column in column_map.values())

    def read(row: Row) -> list[Draft]:
        renamed = {field: _get(row, column) for field, column in column_map.items()}
        if "prompt" in renamed:
            return EXPLICIT.read(renamed)
        return HH.read(renamed) if HH.matches(renamed) else IMPLICIT.read(renamed)

    columns = ", ".join(f"{field}={column}" for field, column in column_map.items())
    return Format("mapped", columns, matches, read)


def _get(row: Row, column: str) -> Any:
    value: Any = row
    for key in [column] if column in row else column.split("."):
        if not isinstance(value, dict) or key not in value:
            raise Reject("unknown-fields", f"no column {column!r}; the row has {sorted(row)[:20]}")
        value = value[key]
    return value
