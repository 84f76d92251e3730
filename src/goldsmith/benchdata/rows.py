"""Rows of benchmark files, read strictly: what is missing or of another type is named with file and line, and nothing is guessed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from goldsmith.errors import DataError
from goldsmith.pool.sources.containers import Document, container_of, records
from goldsmith.pool.sources.hub import HUB_PREFIX, hub_rows
from goldsmith.pool.sources.lines import Problem

MAX_LINE_BYTES = 64 << 20
Source = Document | str
"""A document, or a dataset of the hub as `hf:org/name[:split]`."""


@dataclass(frozen=True, slots=True)
class BenchRow:
    """A row, and where it stands; every accessor raises a DataError that names the place, the column and what was found."""

    data: dict[str, Any]
    name: str
    line: int
    title: str

    @property
    def where(self) -> str:
        """`file:line`."""
        return f"{self.name}:{self.line}"

    def need(self, columns: Sequence[str]) -> None:
        """Refuse a row without these columns."""
        missing = [column for column in columns if column not in self.data]
        if missing:
            has = ", ".join(map(str, list(self.data)[:20]))
            raise self.error(
                f"{self.title} rows need {_words(missing)}, which {'is' if len(missing) == 1 else 'are'} missing; the row has {has}; "
                "has the upstream layout changed?"
            )

    def text(self, column: str) -> str:
        """Return a column of text."""
        value = self._value(column)
        if not isinstance(value, str):
            raise self._wrong(column, "a text")
        return value

    def texts(self, column: str) -> list[str]:
        """Return a column that is a list of texts, not empty."""
        value = self._value(column)
        if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
            raise self._wrong(column, "a list of texts")
        return value

    def name_of(self, column: str) -> str:
        """Return a column that names something: a text, or a whole number as text."""
        value = self._value(column)
        if isinstance(value, bool) or not isinstance(value, (str, int)) or value == "":
            raise self._wrong(column, "a name or a whole number")
        return str(value)

    def one_of(self, column: str, allowed: Sequence[str]) -> str:
        """Return a column whose values are known."""
        value = self._value(column)
        if value not in allowed:
            raise self.error(f"{column} is {_shown(value)}; {self.title} has {_words(allowed)}")
        return str(value)

    def mapping(self, column: str) -> dict[str, Any]:
        """Return a column that is an object."""
        value = self._value(column)
        if not isinstance(value, dict):
            raise self._wrong(column, "an object")
        return value

    def items(self, column: str) -> list[Any]:
        """Return a column that is a list."""
        value = self._value(column)
        if not isinstance(value, list):
            raise self._wrong(column, "a list")
        return value

    def rest(self, columns: Sequence[str]) -> dict[str, Any]:
        """Return those of the columns that are there and hold a plain value."""
        return {
            name: self.data[name]
            for name in columns
            if isinstance(self.data.get(name), (str, int, float, bool)) and name in self.data
        }

    def error(self, message: str) -> DataError:
        """Return the error that names this row."""
        return DataError(f"{self.where}: {message}")

    def _value(self, column: str) -> Any:
        if column not in self.data:
            self.need([column])
        return self.data[column]

    def _wrong(self, column: str, wanted: str) -> DataError:
        return self.error(f"{column} is {_shown(self.data[column])}; {self.title} has {wanted} there")


def source_name(source: Source) -> str:
    """Return how the rows of a source are referred to."""
    return source if isinstance(source, str) else source.name


def bench_rows(source: Source, title: str) -> Iterator[BenchRow]:
    """Yield the rows of a source.

    Raises:
        DataError: the source cannot be read, or a row is no JSON object.
    """
    name = source_name(source)
    for line, row in raw_rows(source):
        if isinstance(row, Problem):
            raise DataError(f"{name}:{line}: {row[0]}: {row[1]}; check the download of {title}, nothing was evaluated")
        yield BenchRow(row, name, line, title)


def raw_rows(source: Source) -> Iterator[tuple[int, dict[str, Any] | Problem]]:
    """Yield (number, row or what is wrong with it) of a document or hub dataset."""
    if isinstance(source, str):
        assert source.startswith(HUB_PREFIX)
        return hub_rows(source)
    return records(source, container_of(source), MAX_LINE_BYTES)


def _words(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def _shown(value: Any) -> str:
    text = repr(value)
    kind = type(value).__name__
    return f"{text if len(text) <= 60 else text[:60] + '…'} ({kind})"
