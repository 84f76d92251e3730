"""Tables: Parquet parts in a folder of their own, and a manifest whose replacement is the commit.

`tables/<name>/manifest.json` names the folder that holds the current parts. A writer fills a new folder and
replaces the manifest at the end, so a reader sees the old table or the new one, and nothing in between.
"""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from goldsmith.errors import StoreError
from goldsmith.store import atomic
from goldsmith.store.manifest import Counts, Manifest

MANIFEST = "manifest.json"
VERSION = "v-"
"""Prefix of the folders of a table's versions; the manifest names the one that counts."""


class Table:
    """A committed table, or the place where one will be."""

    def __init__(self, root: Path, name: str) -> None:
        self.name = name
        self.path = root / name

    @property
    def exists(self) -> bool:
        """Whether the table was ever committed."""
        return (self.path / MANIFEST).is_file()

    @property
    def manifest(self) -> Manifest:
        """The manifest.

        Raises:
            StoreError: the table does not exist, or its manifest cannot be read.
        """
        place = self.path / MANIFEST
        try:
            return Manifest.model_validate_json(place.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise StoreError(f"{self.path}: no such table yet; `goldsmith status` says which stage writes it") from None
        except ValidationError as error:
            raise StoreError(
                f"{place}: not a manifest of this version of Goldsmith: {error.errors()[0]['msg']}; "
                "remove the folder and run again to make the table anew"
            ) from None

    @property
    def fingerprint(self) -> str:
        """The manifest's fingerprint."""
        return self.manifest.fingerprint

    @property
    def num_rows(self) -> int:
        """Rows, as the manifest says."""
        return self.manifest.num_rows

    def sweep(self) -> None:
        """Remove versions that were begun and never committed, and the table's folder when nothing is left.

        Only for who holds the workspace's lock: nobody else is writing then, so what no manifest names is torn.
        """
        try:
            current = self.manifest.folder if self.exists else None
        except StoreError:
            return  # who reads the table is told
        atomic.clean_temporary(self.path)
        for entry in self.path.iterdir():
            if entry.is_dir() and entry.name.startswith(VERSION) and entry.name != current:
                shutil.rmtree(entry, ignore_errors=True)
        if not any(self.path.iterdir()):
            self.path.rmdir()

    def files(self) -> list[Path]:
        """The Parquet parts, in order."""
        return sorted((self.path / self.manifest.folder).glob("*.parquet"))

    def to_arrow(self, columns: Sequence[str] | None = None) -> pa.Table:
        """The whole table in memory; `columns` limits what is read."""
        return pa.concat_tables(pq.read_table(path, columns=list(columns) if columns else None) for path in self.files())

    def batches(self, columns: Sequence[str] | None = None, batch_size: int = 4096) -> Iterator[pa.RecordBatch]:
        """The table in record batches, one part open at a time."""
        for path in self.files():
            with pq.ParquetFile(path) as part:
                yield from part.iter_batches(batch_size=batch_size, columns=list(columns) if columns else None)

    def rows(self, columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """The table as dicts; for tables of thousands of rows."""
        return list(self.to_arrow(columns).to_pylist())

    def to_daft(self) -> Any:
        """The table as a Daft DataFrame, on the runner the engine selected."""
        import daft

        return daft.read_parquet([str(path) for path in self.files()])


class TableWriter:
    """Fills a new version of a table; leaving the `with` block normally commits it."""

    def __init__(
        self, table: Table, *, step: str, fingerprint: str, inputs: dict[str, str], seed: int, code_version: str
    ) -> None:
        self.table = table
        self.counts: Counts | None = None
        self.extra: dict[str, Any] = {}
        self._manifest = partial(
            Manifest,
            table=table.name,
            step=step,
            fingerprint=fingerprint,
            inputs=inputs,
            seed=seed,
            code_version=code_version,
        )
        self._folder = f"{VERSION}{uuid.uuid4().hex[:12]}"
        self._num_parts = 0

    @property
    def directory(self) -> Path:
        """The new version's folder; parts named `part-*.parquet` in it belong to the table."""
        return self.table.path / self._folder

    def __enter__(self) -> TableWriter:
        with atomic.explained(self.directory):
            self.directory.mkdir(parents=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is not None:
            shutil.rmtree(self.directory, ignore_errors=True)
            return
        with atomic.explained(self.table.path):
            self._commit()

    def write(self, data: pa.Table) -> None:
        """Add one part."""
        with atomic.explained(self.directory):
            pq.write_table(data, self.directory / f"part-{self._num_parts:05d}.parquet", compression="zstd")
        self._num_parts += 1

    def write_rows(self, rows: Sequence[dict[str, Any]], schema: pa.Schema) -> None:
        """Add one part made of dicts; dicts and lists meant for a text column are stored as JSON."""
        text_columns = [field.name for field in schema if field.type == pa.string()]
        plain = [{**row, **{name: _as_text(row.get(name)) for name in text_columns}} for row in rows]
        self.write(pa.Table.from_pylist(plain, schema=schema))

    def _commit(self) -> None:
        files = sorted(self.directory.glob("*.parquet"))
        num_rows = sum(pq.read_metadata(path).num_rows for path in files)
        if self.counts is not None:
            self.counts.check(f"table {self.table.name}")
        atomic.sync_tree(self.directory)
        manifest = self._manifest(
            counts=self.counts,
            num_rows=num_rows,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            folder=self._folder,
            extra=self.extra,
        )
        atomic.write_text(self.table.path / MANIFEST, manifest.model_dump_json(indent=1) + "\n")
        for entry in self.table.path.iterdir():
            if entry.is_dir() and entry.name != self._folder:
                shutil.rmtree(entry, ignore_errors=True)


def _as_text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
