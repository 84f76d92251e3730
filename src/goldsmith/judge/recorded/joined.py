"""Result files that name their pairs without holding them: the texts come from another file, by key."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from goldsmith.errors import DataError
from goldsmith.judge.recorded.rows import Row, RowPair, field_of, pair_of_row, rows_of
from goldsmith.pool.sources.draft import Reject
from goldsmith.pool.sources.lines import Problem


class PairsByKey:
    """The pairs of a file by the values of some columns.

    Args:
        path: pairs in any known format.
        key: column of the result file to column of the pairs' file; both may name a field inside an object (`meta.subset`).
    """

    def __init__(self, path: Path, key: Mapping[str, str]) -> None:
        self.path = path
        self._columns = list(key)
        self._pairs: dict[tuple[str, ...], RowPair | Reject] = {}
        for where, row in rows_of(path):
            if not isinstance(row, Problem):
                self._add(where, row, list(key.values()))
        if not self._pairs:
            raise DataError(f"{path}: no row has the columns {', '.join(key.values())}; mend judge.recorded.key")

    def find(self, row: Row) -> RowPair:
        """Return the pair that a row of results means.

        Raises:
            Reject: `pair-not-found`, or why the pair's own row is none.
        """
        found = self._pairs.get(_values(row, self._columns) or ())
        if found is None:
            raise Reject("pair-not-found", f"no pair of {self.path} has this {', '.join(self._columns)}")
        if isinstance(found, Reject):
            raise found
        return found

    def _add(self, where: str, row: Row, columns: list[str]) -> None:
        values = _values(row, columns)
        if values is None:
            return
        if values in self._pairs:
            raise DataError(
                f"{where}: a second pair with {dict(zip(columns, values, strict=True))}; name more columns in judge.recorded.key"
            )
        try:
            self._pairs[values] = pair_of_row(row)
        except Reject as reject:
            self._pairs[values] = reject


def _values(row: Row, columns: list[str]) -> tuple[str, ...] | None:
    """The row's key as text, so that 7 and "7" meet; None where a column is missing."""
    found: list[Any] = []
    for column in columns:
        try:
            found.append(field_of(row, column))
        except KeyError:
            return None
    return tuple(str(value) for value in found)
