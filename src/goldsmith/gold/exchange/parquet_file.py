"""Votes as Parquet, in the columns of `table`."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from goldsmith.errors import DataError
from goldsmith.gold.exchange.item import Held, Item, Read
from goldsmith.gold.exchange.table import COLUMNS, items_of, rows_of
from goldsmith.store import atomic

TYPES = {"strength": pa.int64(), "confidence": pa.int64(), "seconds": pa.float64(), "changed_after_hint": pa.bool_()}
SCHEMA = pa.schema([(column, TYPES.get(column, pa.string())) for column in COLUMNS])


def write(items: Iterable[Item], path: Path, seed: int) -> Held:
    """Write one vote a row."""
    data = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows_of(items)), schema=SCHEMA), data, compression="zstd")
    atomic.write_bytes(path, data.getvalue())
    return Held()


def read(path: Path) -> Read:
    """Return the items of a file.

    Raises:
        DataError: it is no Parquet, or a row is no vote; names the row (from 1) and the field.
    """
    return items_of(_rows(path))


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        with pq.ParquetFile(path) as file:
            if "choice" not in file.schema_arrow.names:
                raise DataError(f"{path}: column 'choice' is missing; found {', '.join(file.schema_arrow.names)[:200]}")
            number = 0
            for batch in file.iter_batches(batch_size=4096):
                for row in batch.to_pylist():
                    number += 1
                    yield f"{path.name}: row {number}", row
    except FileNotFoundError:
        raise DataError(f"{path}: no such file of votes") from None
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: no Parquet file that can be read: {str(error)[:200]}") from None
