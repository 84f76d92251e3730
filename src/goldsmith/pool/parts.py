"""Raw pairs in Parquet parts: what ingestion writes and the pool is built from, a few megabytes at a time."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from goldsmith.pool.sources.rows import StoredRow
from goldsmith.store import atomic
from goldsmith.store.pairs import pair_schema
from goldsmith.store.tables import TableWriter

RAW_PREFIX = "raw_"
"""Each added input is a table of this prefix and its digest; its rejected rows are in `rejects_<digest>`."""
REJECTS_PREFIX = "rejects_"
RAW_SCHEMA = pair_schema(("key", pa.int64()), ("row", pa.int64()))
"""`key`: 64 bits of the pair's id, which duplicates are found by; `row`: the row's place in its part."""
REJECTS_SCHEMA = pa.schema([(name, pa.string()) for name in ("file", "reason", "detail")] + [("line", pa.int64())])
GROUP_ROWS = 4096
GROUP_BYTES = 16 << 20
_REPEATING = ["label", "label_origin", "source"]
_OPTIONS: dict[str, Any] = {
    "compression": "zstd",
    "compression_level": 1,
    "use_dictionary": _REPEATING,
    "write_statistics": False,
}


class PartWriter:
    """Writes record batches to one Parquet file that exists only once something was written."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.path = path
        self.schema = schema
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> PartWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._writer is not None:
            with atomic.explained(self.path):
                self._writer.close()

    def write(self, batch: pa.RecordBatch) -> None:
        """Add a row group."""
        if not batch.num_rows:
            return
        with atomic.explained(self.path):
            if self._writer is None:
                names = [name for name in _REPEATING if name in self.schema.names]
                self._writer = pq.ParquetWriter(self.path, self.schema, **{**_OPTIONS, "use_dictionary": names})
            self._writer.write_batch(batch)


class RawWriter:
    """Collects stored rows and writes them as one part, in row groups of bounded size."""

    def __init__(self, path: Path) -> None:
        self.num_rows = 0
        self._part = PartWriter(path, RAW_SCHEMA)
        self._rows: list[StoredRow] = []
        self._num_bytes = 0

    def add(self, row: StoredRow) -> None:
        """Add one stored row."""
        self._rows.append(row)
        self._num_bytes += len(row[2]) + len(row[3]) + len(row[4])
        if len(self._rows) >= GROUP_ROWS or self._num_bytes >= GROUP_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what is held."""
        if not self._rows:
            return
        columns = list(zip(*self._rows, strict=True))
        # The id's first 60 bits, so that the number is never negative.
        columns.append(tuple(int(name[:15], 16) for name in columns[0]))
        columns.append(tuple(range(self.num_rows, self.num_rows + len(self._rows))))
        arrays = [pa.array(column, type=field.type) for column, field in zip(columns, RAW_SCHEMA, strict=True)]
        self._part.write(pa.RecordBatch.from_arrays(arrays, schema=RAW_SCHEMA))
        self.num_rows += len(self._rows)
        self._rows, self._num_bytes = [], 0

    def close(self) -> None:
        """Write what is held, and the file's end."""
        self.flush()
        self._part.__exit__(None, None, None)


def ensure_part(writer: TableWriter, schema: pa.Schema) -> None:
    """Give a table that got no rows a part without rows, so that its columns can be read."""
    if not any(writer.directory.glob("*.parquet")):
        writer.write(schema.empty_table())
