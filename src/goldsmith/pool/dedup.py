"""Exact duplicates and contradictions across the whole pool, found on ids alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goldsmith.config.pool import EngineConfig
from goldsmith.store.engine import daft_module

DUPLICATE = "duplicate"
CONTRADICTION = "contradiction"
ROWS_AT_ONCE = 4_000_000
"""Keys that are grouped at a time: memory stays the same however large the pool is."""


@dataclass(frozen=True, slots=True, order=True)
class Copy:
    """One row among several that share a pair id, and where it lies; ordered by source, reference, then place."""

    source: str
    source_ref: str
    part: str
    row: int
    pair_id: str
    label: str


def judge_copies(copies: Iterable[Copy]) -> dict[tuple[str, int], str]:
    """Return what becomes of rows that share ids: (part, row) -> `duplicate` or `contradiction`; a row that stays is absent.

    Of the rows with the same id and label the first by (source, source_ref) stays; where the rows that stay still share an id,
    their labels differ, and all of them are a contradiction. The order the rows come in makes no difference.
    """
    verdicts: dict[tuple[str, int], str] = {}
    stay: dict[str, dict[str, Copy]] = defaultdict(dict)
    for copy in sorted(copies):
        if copy.label in stay[copy.pair_id]:
            verdicts[copy.part, copy.row] = DUPLICATE
        else:
            stay[copy.pair_id][copy.label] = copy
    for labels in stay.values():
        if len(labels) > 1:
            verdicts.update({(copy.part, copy.row): CONTRADICTION for copy in labels.values()})
    return verdicts


def find_copies(parts: Sequence[Path], num_rows: int, engine: EngineConfig) -> dict[tuple[str, int], str]:
    """Return `judge_copies` over all parts of the raw tables, in passes over ranges of the ids."""
    passes = -(-num_rows // ROWS_AT_ONCE)
    verdicts: dict[tuple[str, int], str] = {}
    for number in range(passes):
        verdicts.update(judge_copies(_shared(parts, number, passes, engine)))
    return verdicts


def _shared(parts: Sequence[Path], number: int, passes: int, engine: EngineConfig) -> list[Copy]:
    """Return the rows whose 60-bit key occurs more than once, among the keys of one pass."""
    daft = daft_module(engine)
    names = {str(path): part_name(path) for path in parts}
    frame = daft.read_parquet(list(names), file_path_column="path")
    if passes > 1:
        frame = frame.where(daft.col("key") % passes == number)
    keys = frame.select("key").groupby("key").agg(daft.col("key").count().alias("copies"))
    keys = keys.where(daft.col("copies") > 1).select("key").collect()
    if not len(keys):
        return []
    rows = frame.join(keys, on="key", how="semi").select("source", "source_ref", "path", "row", "pair_id", "label").to_arrow()
    columns: list[list[Any]] = [
        rows.column(name).to_pylist() for name in ("source", "source_ref", "path", "row", "pair_id", "label")
    ]
    columns[2] = [names[_plain(path)] for path in columns[2]]
    return [Copy(*values) for values in zip(*columns, strict=True)]


def _plain(path: str) -> str:
    return path.removeprefix("file://")


def part_name(path: Path) -> str:
    """Return a part's lasting name, `raw_<digest>/part-00000`: the folder between them has a new name in every version."""
    return f"{path.parent.parent.name}/{path.stem}"
