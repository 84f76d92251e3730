"""The pool's limit: which pairs stay when there are more than wanted, drawn by id and seed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from goldsmith.identity import unit_interval
from goldsmith.pool.parts import PartWriter
from goldsmith.pool.sift import DROPPED_SCHEMA, FLIPPED_SCHEMA
from goldsmith.store.pairs import pair_schema

OVER_LIMIT = "over-limit"


def apply_limit(folders: dict[str, str], limit: int, seed: int) -> dict[str, Any]:
    """Reduce the pool's parts to the `limit` pairs with the smallest draw, and record the others as dropped.

    Args:
        folders: the four tables' folders, by name; the parts in them are replaced.
        limit: how many pairs stay.
        seed: the draw is `unit_interval(pair_id, seed)`: whatever else is added, a pair keeps its draw.

    Returns:
        the counts that changed: kept, flipped, ties, sources, label_origins, over_limit.
    """
    pool = Path(folders["pool"])
    parts = sorted(pool.glob("part-*.parquet"))
    draws = [np.array([unit_interval(name, seed) for name in _names(path)]) for path in parts]
    over = sum(map(len, draws)) - limit
    if over <= 0:
        return {}
    threshold = np.partition(np.concatenate(draws), limit - 1)[limit - 1]
    staying: set[str] = set()
    counts: dict[str, Any] = {name: Counter() for name in ("sources", "label_origins")}
    counts.update(kept=0, ties=0)
    with PartWriter(Path(folders["pool_dropped"]) / "part-limit.parquet", DROPPED_SCHEMA) as dropped:
        for path, drawn in zip(parts, draws, strict=True):
            for kept in _trim(path, drawn <= threshold, dropped):
                staying.update(kept.column("pair_id").to_pylist())
                counts["kept"] += kept.num_rows
                counts["ties"] += kept.column("label").to_pylist().count("tie")
                counts["sources"].update(kept.column("source").to_pylist())
                counts["label_origins"].update(kept.column("label_origin").to_pylist())
    counts["flipped"] = _trim_flipped(Path(folders["flipped_on_purpose"]), staying)
    return {**counts, "over_limit": over}


def _names(path: Path) -> list[str]:
    names: list[str] = pq.read_table(path, columns=["pair_id"]).column("pair_id").to_pylist()
    return names


def _trim(path: Path, stays: Any, dropped: PartWriter) -> list[pa.RecordBatch]:
    """Rewrite one part; returns the small columns of what stays."""
    small, start = [], 0
    shorter = path.with_name(f"{path.name}.shorter")
    with pq.ParquetFile(path) as part, PartWriter(shorter, pair_schema()) as output:
        for batch in part.iter_batches(batch_size=4096):
            mask = stays[start : start + batch.num_rows]
            start += batch.num_rows
            kept, gone = batch.filter(pa.array(mask)), batch.filter(pa.array(~mask))
            output.write(kept)
            small.append(kept.select(["pair_id", "label", "source", "label_origin"]))
            rows = gone.select(["pair_id", "source", "source_ref"]).to_pylist()
            dropped.write(
                pa.RecordBatch.from_pylist([{**row, "reason": OVER_LIMIT, "detail": ""} for row in rows], schema=DROPPED_SCHEMA)
            )
    path.unlink()
    if shorter.exists():
        shorter.rename(path)
    return small


def _trim_flipped(folder: Path, staying: set[str]) -> int:
    count = 0
    for path in sorted(folder.glob("part-*.parquet")):
        names = [name for name in _names(path) if name in staying]
        count += len(names)
        path.unlink()
        if names:
            with PartWriter(path, FLIPPED_SCHEMA) as output:
                output.write(pa.RecordBatch.from_arrays([pa.array(names, type=pa.string())], schema=FLIPPED_SCHEMA))
    return count
