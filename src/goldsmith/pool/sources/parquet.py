"""The rows of a Parquet file as plain objects, whatever types its columns have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

from goldsmith.pool.sources.lines import Problem

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS = 1024


def parquet_rows(source: BinaryIO, span: tuple[int, int, int] | None = None) -> Iterator[tuple[int, dict[str, Any] | Problem]]:
    """Yield each row with its number from 1, or what is wrong with it.

    Args:
        source: a seekable stream of the whole file.
        span: (first row group, how many, number of the first row); none: all.

    Raises:
        pyarrow.ArrowException, OSError: the file is broken.
    """
    import pyarrow.parquet as pq

    with pq.ParquetFile(source) as table:
        first, how_many, number = span or (0, table.num_row_groups, 1)
        groups = list(range(first, first + how_many))
        for batch in table.iter_batches(batch_size=BATCH_ROWS, row_groups=groups):
            for row in _objects(_plain(batch)):
                yield number, row
                number += 1


def _plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with times and dates as text, which Python cannot always hold, and with text that is stored as bytes as text."""
    import pyarrow as pa

    for place, field in enumerate(batch.schema):
        is_bytes = pa.types.is_binary(field.type) or pa.types.is_large_binary(field.type)
        if is_bytes or pa.types.is_temporal(field.type):
            try:
                batch = batch.set_column(place, field.name, batch.column(place).cast(pa.string()))
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
                continue  # other bytes than text: a reader that needs this column will say so
    return batch


def _objects(batch: pa.RecordBatch) -> Iterator[dict[str, Any] | Problem]:
    try:
        yield from batch.to_pylist()
    except ValueError:
        # Some value has no Python form; the other rows have.
        for place in range(batch.num_rows):
            yield _object(batch.slice(place, 1))


def _object(row: pa.RecordBatch) -> dict[str, Any] | Problem:
    try:
        found: dict[str, Any] = row.to_pylist()[0]
        return found
    except UnicodeDecodeError as error:
        return Problem(("wrong-utf8", f"byte {error.object[error.start]:#04x} at position {error.start} of a text is not UTF-8"))
    except ValueError as error:
        return Problem(("unreadable-value", str(error)))
