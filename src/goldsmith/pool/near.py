"""Near-duplicates: pairs whose texts share most of their five-word runs. Reported, never dropped (spec 2).

MinHash: twelve minima over hashed five-word runs; three bands of four find candidates without comparing every two pairs, and
the share of equal minima (an estimate of the Jaccard similarity, standard error about 0.12) confirms them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from goldsmith.config.pool import EngineConfig
from goldsmith.pool.words import WordTable
from goldsmith.store.engine import daft_module

RUN_WORDS = 5
NUM_HASHES, NUM_BANDS = 12, 3
SIMILAR = 0.75
"""Share of equal minima from which two pairs count as near-duplicates."""
SIGNATURE_SCHEMA = pa.schema(
    [
        ("pair_id", pa.string()),
        ("minima", pa.binary(NUM_HASHES * 4)),
        *((f"band_{band}", pa.int64()) for band in range(NUM_BANDS)),
    ]
)
NEAR_SCHEMA = pa.schema([("pair_id", pa.string()), ("like", pa.string()), ("similarity", pa.float64())])
ROWS_AT_ONCE = 4_000_000

_RNG = np.random.default_rng(20250702)  # fixed for ever: signatures of different runs must agree
_FACTORS = _RNG.integers(1 << 32, 1 << 63, size=NUM_HASHES, dtype=np.uint64) | np.uint64(1)
_STEP = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class Near:
    """A pair, the earlier pair it is like, and the share of their texts that agrees (estimated, 0..1)."""

    pair_id: str
    like: str
    similarity: float


def signatures(table: WordTable) -> Any:
    """Return the minima of each row's five-word runs, uint32[rows, 12]; a row of fewer words counts as one run."""
    ids, lengths = _padded(table)
    if not len(lengths):
        return np.zeros((0, NUM_HASHES), dtype=np.uint32)
    runs = np.zeros(len(ids), dtype=np.uint64)
    for offset in range(RUN_WORDS):
        runs[: len(ids) - offset] += ids[offset:]
        runs *= _STEP
    starts = np.cumsum(lengths) - lengths
    # A run that reaches into the next row counts as the row's last whole one.
    runs = runs[np.minimum(np.arange(len(ids)), np.repeat(starts + lengths - RUN_WORDS, lengths))]
    columns = [np.minimum.reduceat((runs * factor) >> np.uint64(32), starts) for factor in _FACTORS]
    return np.stack(columns, axis=1).astype(np.uint32)


def _padded(table: WordTable) -> tuple[Any, Any]:
    """The words' hashes and the rows' lengths, rows of fewer than five words filled up with zeros."""
    lengths = table.row_lengths
    missing = np.maximum(0, RUN_WORDS - lengths)
    if not missing.any():
        return table.hashes, lengths
    return np.insert(table.hashes, np.repeat(table.row_ends, missing), 0), lengths + missing


def signature_batch(names: Sequence[str], table: WordTable) -> pa.RecordBatch:
    """Return the signatures of rows as a record batch."""
    minima = signatures(table)
    binary = pa.array([row.tobytes() for row in minima], type=pa.binary(NUM_HASHES * 4))
    wide = minima.reshape(len(minima), NUM_BANDS, NUM_HASHES // NUM_BANDS).astype(np.uint64)
    bands = []
    for band in range(NUM_BANDS):
        mixed = np.full(len(minima), band + 1, dtype=np.uint64)
        for column in range(wide.shape[2]):
            mixed = (mixed ^ wide[:, band, column]) * _STEP
        bands.append(pa.array((mixed >> np.uint64(1)).astype(np.int64)))
    return pa.RecordBatch.from_arrays([pa.array(names, type=pa.string()), binary, *bands], schema=SIGNATURE_SCHEMA)


def find_near(parts: Sequence[Path], num_rows: int, engine: EngineConfig) -> list[Near]:
    """Return the near-duplicates among the rows of signature files, in order of their ids."""
    passes = max(1, -(-num_rows // ROWS_AT_ONCE))
    best: dict[str, Near] = {}
    for band in range(NUM_BANDS):
        for number in range(passes):
            confirm(_candidates(parts, f"band_{band}", number, passes, engine), best)
    return [best[name] for name in sorted(best)]


def _candidates(parts: Sequence[Path], band: str, number: int, passes: int, engine: EngineConfig) -> list[tuple[int, str, bytes]]:
    daft = daft_module(engine)
    frame = daft.read_parquet([str(path) for path in parts]).select("pair_id", "minima", daft.col(band).alias("band"))
    if passes > 1:
        frame = frame.where(daft.col("band") % passes == number)
    shared = frame.groupby("band").agg(daft.col("band").count().alias("members"))
    shared = shared.where(daft.col("members") > 1).select("band").collect()
    if not len(shared):
        return []
    rows = frame.join(shared, on="band", how="semi").to_arrow()
    return list(zip(*(rows.column(name).to_pylist() for name in ("band", "pair_id", "minima")), strict=True))


def confirm(candidates: Iterable[tuple[int, str, bytes]], best: dict[str, Near]) -> None:
    """Compare the members of each band with the group's first, and keep the best likeness of each pair in `best`."""
    groups: dict[int, list[tuple[str, bytes]]] = defaultdict(list)
    for band, name, minima in candidates:
        groups[band].append((name, minima))
    for members in groups.values():
        (first, first_minima), *others = sorted(members)
        reference = np.frombuffer(first_minima, dtype=np.uint32)
        for name, minima in others:
            similarity = float((np.frombuffer(minima, dtype=np.uint32) == reference).mean())
            known = best.get(name)
            if name != first and similarity >= SIMILAR and (known is None or known.similarity < similarity):
                best[name] = Near(pair_id=name, like=first, similarity=similarity)
