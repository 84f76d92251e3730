"""Nearest neighbours by cosine: exact for small sets, a LanceDB index for large ones, one interface."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from goldsmith.errors import UserError

Vectors = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

CHUNK_CELLS = 16_000_000
"""Similarities held at once by the exact search: 64 MB of float32."""
PARTITIONS_SEARCHED = 0.25
"""Share of an approximate index's partitions that a query visits; recall against speed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """One hit: the row in the indexed set, its id, and the cosine in [-1, 1]."""

    row: int
    pair_id: str
    similarity: float


class Index(Protocol):
    """What both searches offer."""

    def search(self, queries: Vectors, k: int, allowed: Mask | None = None) -> list[list[Neighbour]]:
        """Return, for each query, at most k neighbours by falling cosine, ties by id.

        Args:
            queries: L2-normalised float32, shape [Q, D].
            k: neighbours wanted, at least 0.
            allowed: shape [N]; rows that are False are never returned.
        """
        ...


class ExactIndex:
    """Every cosine is computed; the answer is exact and depends on nothing but the vectors."""

    def __init__(self, ids: Sequence[str], vectors: Vectors) -> None:
        _check(ids, vectors)
        self.ids = list(ids)
        self.vectors = vectors

    def search(self, queries: Vectors, k: int, allowed: Mask | None = None) -> list[list[Neighbour]]:
        """See `Index.search`."""
        rows = np.arange(len(self.ids)) if allowed is None else np.flatnonzero(allowed)
        if k <= 0 or rows.size == 0 or len(queries) == 0:
            return [[] for _ in range(len(queries))]
        kept = self.vectors if allowed is None else self.vectors[rows]
        step = max(1, CHUNK_CELLS // max(1, rows.size))
        found: list[list[Neighbour]] = []
        for start in range(0, len(queries), step):
            similarity = queries[start : start + step] @ kept.T
            found.extend(self._best(line, rows, k) for line in similarity)
        return found

    def _best(self, line: Vectors, rows: npt.NDArray[np.intp], k: int) -> list[Neighbour]:
        if k < line.size:
            # Everything at least as near as the k-th competes, so that ties at the edge are decided by id and not by position.
            edge = np.partition(line, line.size - k)[line.size - k]
            candidates = np.flatnonzero(line >= edge)
        else:
            candidates = np.arange(line.size)
        hits = [Neighbour(row=int(rows[at]), pair_id=self.ids[int(rows[at])], similarity=float(line[at])) for at in candidates]
        return sorted(hits, key=_order)[:k]


class LanceIndex:
    """An inverted-file index on disk; approximate, with the recall that `measured_recall` gives."""

    def __init__(self, ids: Sequence[str], vectors: Vectors, folder: Path | None = None) -> None:
        _check(ids, vectors)
        self.ids = list(ids)
        self._owned = folder is None
        self._folder = Path(tempfile.mkdtemp(prefix="goldsmith-index-")) if folder is None else folder
        self._table = _lance_table(vectors, self._folder)
        self._partitions = _partitions(len(self.ids))

    def search(self, queries: Vectors, k: int, allowed: Mask | None = None) -> list[list[Neighbour]]:
        """See `Index.search`. Where too few of the nearest rows are allowed, the search widens until k are found or all were seen."""
        return [self._search_one(query, k, allowed) for query in queries]

    def _search_one(self, query: Vectors, k: int, allowed: Mask | None) -> list[Neighbour]:
        if k <= 0:
            return []
        wanted = k
        probes = max(1, round(self._partitions * PARTITIONS_SEARCHED))
        while True:
            hits = self._query(query, min(wanted, len(self.ids)), probes)
            kept = [hit for hit in hits if allowed is None or allowed[hit.row]]
            if len(kept) >= k or (wanted >= len(self.ids) and probes >= self._partitions):
                return sorted(kept, key=_order)[:k]
            wanted, probes = wanted * 4, min(self._partitions, probes * 4)

    def _query(self, query: Vectors, limit: int, probes: int) -> list[Neighbour]:
        # Indexed in "l2" on unit vectors: cosine = 1 - distance / 2, the same order, and cheaper to compute.
        search = self._table.search(query).distance_type("l2").nprobes(probes).limit(limit).select(["row", "_distance"])
        found = search.to_arrow()
        rows, distances = found["row"].to_pylist(), found["_distance"].to_pylist()
        return [
            Neighbour(row=row, pair_id=self.ids[row], similarity=1.0 - distance / 2.0)
            for row, distance in zip(rows, distances, strict=True)
        ]

    def close(self) -> None:
        """Remove the index's files, when it made their folder itself."""
        if self._owned:
            shutil.rmtree(self._folder, ignore_errors=True)

    def __del__(self) -> None:
        if hasattr(self, "_owned"):
            self.close()


def build_index(ids: Sequence[str], vectors: Vectors, *, exact_below: int = 100_000, folder: Path | None = None) -> Index:
    """Return an exact index below `exact_below` rows and a LanceDB index from there on.

    Args:
        ids: N pair ids.
        vectors: L2-normalised float32, shape [N, D].
        exact_below: rows from which the search is approximate.
        folder: where the approximate index is written; none: a temporary folder, removed with the index.
    """
    if len(ids) < exact_below:
        return ExactIndex(ids, vectors)
    return LanceIndex(ids, vectors, folder)


def measured_recall(index: Index, exact: Index, queries: Vectors, k: int) -> float:
    """Return the share of the exact k nearest that `index` also returns, in [0, 1]; 1.0 when there is nothing to find."""
    wanted = [{hit.pair_id for hit in hits} for hits in exact.search(queries, k)]
    found = [{hit.pair_id for hit in hits} for hits in index.search(queries, k)]
    total = sum(len(line) for line in wanted)
    return sum(len(a & b) for a, b in zip(wanted, found, strict=True)) / total if total else 1.0


def _order(hit: Neighbour) -> tuple[float, str]:
    return (-hit.similarity, hit.pair_id)


def _check(ids: Sequence[str], vectors: Vectors) -> None:
    if vectors.ndim != 2 or len(ids) != len(vectors):
        raise ValueError(f"{len(ids)} ids for vectors of shape {vectors.shape}; an index needs one row per id")


def _partitions(rows: int) -> int:
    return max(1, min(1024, rows // 400))


def _lance_table(vectors: Vectors, folder: Path) -> Any:
    try:
        import lancedb
        from lancedb.index import IvfFlat
    except ImportError:
        raise UserError(
            f"{len(vectors)} vectors need an approximate index, and lancedb is not installed; "
            "`pip install goldsmith[retrieve]`, or raise retrieve.exact_below"
        ) from None
    import pyarrow as pa

    width = vectors.shape[1]
    flat = pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(vectors).reshape(-1)), width)
    data = pa.table({"row": pa.array(np.arange(len(vectors), dtype=np.int64)), "vector": flat})
    table = lancedb.connect(str(folder)).create_table("pairs", data=data, mode="overwrite")
    table.create_index("vector", config=IvfFlat(distance_type="l2", num_partitions=_partitions(len(vectors))))
    return table
