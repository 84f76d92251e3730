"""The tables beside a result: one row an item, streamed, as Parquet; lists of decisions and `meta` are JSON texts in it."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from goldsmith.errors import DataError, UserError
from goldsmith.evaluate.result import ITEMS, RESULT, EvalResult, ItemRecord
from goldsmith.store.atomic import TEMPORARY, explained, sync_folder

BATCH = 2048
"""Items in memory before they are written."""
_AS_JSON = ("games", "meta")


class ItemWriter:
    """Writes items to a Parquet file that appears under its name when the block ends normally, and not at all otherwise."""

    def __init__(self, path: Path) -> None:
        """Begin a file; nothing is written before the first full batch."""
        self.path = path
        self._temporary = path.with_name(f"{TEMPORARY}{uuid.uuid4().hex[:12]}-{path.name}")
        self._rows: list[dict[str, Any]] = []
        self._writer: Any = None

    def write(self, item: ItemRecord) -> None:
        """Add one item."""
        row = item.model_dump()
        for name in _AS_JSON:
            row[name] = json.dumps(row[name], ensure_ascii=False, allow_nan=False)
        row["comparisons"] = [list(pair) for pair in item.comparisons]
        self._rows.append(row)
        if len(self._rows) >= BATCH:
            self._flush()

    def __enter__(self) -> Self:
        with explained(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        with explained(self.path):
            try:
                if kind is None:
                    self._flush(at_end=True)
            finally:
                if self._writer is not None:
                    self._writer.close()
                if kind is None and self._temporary.exists():
                    with self._temporary.open("rb") as stream:
                        os.fsync(stream.fileno())
                    os.replace(self._temporary, self.path)
                    sync_folder(self.path.parent)
                else:
                    self._temporary.unlink(missing_ok=True)

    def _flush(self, at_end: bool = False) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        if not self._rows and not (at_end and self._writer is None):
            return
        with explained(self.path):
            table = pa.Table.from_pylist(self._rows, schema=_schema())
            if self._writer is None:
                self._writer = pq.ParquetWriter(self._temporary, table.schema, compression="zstd")
            self._writer.write_table(table)
        self._rows = []


def read_items(folder: Path, benchmark: str | None = None) -> Iterator[ItemRecord]:
    """Yield the items of one model's folder in the order of the benchmark's files.

    Args:
        folder: with `items.parquet` in it.
        benchmark: only those of this benchmark.

    Raises:
        DataError: the file is missing, broken, or holds something else.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / ITEMS
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=BATCH):
                for row in batch.to_pylist():
                    if benchmark is None or row["benchmark"] == benchmark:
                        yield _item(row)
    except (OSError, pa.ArrowException, ValueError, KeyError) as error:
        detail = " ".join(str(error).split())[:300]
        raise DataError(f"{path}: no table of evaluated items ({detail}); run `goldsmith eval` again") from None


def read_result(folder: Path) -> EvalResult:
    """Return the result of one model's folder.

    Raises:
        UserError: no result there, or one of another version.
    """
    path = folder / RESULT
    try:
        return EvalResult.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); name a folder that `goldsmith eval` wrote") from None
    except ValueError as error:
        first = " ".join(str(error).split())[:300]
        raise UserError(f"{path}: no result of this version of Goldsmith ({first}); run `goldsmith eval` again") from None


def _item(row: dict[str, Any]) -> ItemRecord:
    for name in _AS_JSON:
        row[name] = json.loads(row[name])
    return ItemRecord.model_validate(row)


def _schema() -> Any:
    import pyarrow as pa

    texts, numbers = pa.list_(pa.string()), pa.list_(pa.int64())
    return pa.schema(
        [
            *((name, pa.string()) for name in ("benchmark", "subset", "item_id", "prompt_id", "source_ref", "outcome")),
            ("credit", pa.float64()),
            ("weight", pa.float64()),
            ("reason", pa.string()),
            ("good", pa.list_(pa.bool_())),
            ("text_ids", texts),
            ("scores", pa.list_(pa.float64())),
            ("comparisons", pa.list_(numbers)),
            ("decisions", texts),
            ("games", pa.string()),
            ("chars", numbers),
            ("marks", numbers),
            ("is_ordered", pa.bool_()),
            ("tokens", numbers),
            ("cut", numbers),
            ("meta", pa.string()),
        ]
    )
