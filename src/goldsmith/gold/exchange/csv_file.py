"""Votes as CSV. None is an empty cell and an empty text is `""` written as an apostrophe, so that every text comes back as it was."""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from goldsmith.errors import DataError
from goldsmith.gold.exchange.item import Held, Item, Read
from goldsmith.gold.exchange.rows import read_text
from goldsmith.gold.exchange.table import COLUMNS, NUMBERS, TRUTH, items_of, rows_of
from goldsmith.store import atomic

GUARDED = re.compile(r"'*([=+\-@\t\r＝＋－＠]|\Z)")
"""Texts that a spreadsheet would take for a formula, and those that would become ambiguous by the guard itself."""
NEEDED = ("choice",)


def write(items: Iterable[Item], path: Path, seed: int) -> Held:
    """Write one vote a row."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in rows_of(items):
        writer.writerow([_cell(row[column]) for column in COLUMNS])
    data = text.getvalue().encode("utf-8")
    atomic.write_bytes(path, gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
    return Held()


def read(path: Path) -> Read:
    """Return the items of a file.

    Raises:
        DataError: a row is no vote; names file:line and field.
    """
    return items_of(_rows(path))


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    before = csv.field_size_limit(1 << 30)
    try:
        reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
        header = next(reader, [])
        missing = [column for column in NEEDED if column not in header]
        if missing:
            raise DataError(f"{path}:1: column '{missing[0]}' is missing; found {', '.join(header)[:200] or 'nothing'}")
        if len(set(header)) < len(header):
            raise DataError(f"{path}:1: a column stands twice; found {', '.join(header)[:200]}")
        line = reader.line_num + 1
        for cells in reader:
            place = f"{path.name}:{line}"
            line = reader.line_num + 1
            if not cells:
                continue
            if len(cells) != len(header):
                raise DataError(f"{place}: {len(cells)} cells, but there are {len(header)} columns; is a quotation mark missing?")
            yield place, {name: _value(name, cell, place) for name, cell in zip(header, cells, strict=True)}
    except csv.Error as error:
        raise DataError(f"{path}:{reader.line_num}: no CSV: {error}") from None
    finally:
        csv.field_size_limit(before)


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"'{value}" if isinstance(value, str) and GUARDED.match(value) else value


def _value(name: str, cell: str, place: str) -> Any:
    if cell == "":
        return None
    if name in NUMBERS:
        try:
            return NUMBERS[name](cell)
        except ValueError:
            raise DataError(f"{place}: field '{name}' is {cell[:40]!r}, not a number") from None
    if name == "changed_after_hint":
        if cell.lower() not in TRUTH:
            raise DataError(f"{place}: field '{name}' is {cell[:40]!r}; expected true or false")
        return TRUTH[cell.lower()]
    return cell[1:] if cell.startswith("'") and GUARDED.match(cell[1:]) else cell
