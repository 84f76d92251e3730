"""Picks pairs from quota cells in turn: each time the one least like everything chosen so far, and never a near-copy of it.

Likeness is the cosine of embeddings of `(context, attributes)`. Pairs of one context have the same embedding and are no copies of each
other, but a context's second pair comes after every context's first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from goldsmith.retrieve.index import Vectors


class _Cell:
    """One cell's candidates, each with its greatest likeness to a chosen pair of another context."""

    def __init__(self, rows: Sequence[dict[str, Any]], vectors: Vectors) -> None:
        self.rows, self.vectors = list(rows), np.asarray(vectors, dtype=np.float32)
        self.likeness: NDArray[np.float32] = np.full(len(self.rows), -1.0, dtype=np.float32)
        self.contexts = np.array([row["context_id"] for row in self.rows], dtype=object)
        self.turns = np.zeros(len(self.rows), dtype=np.int64)
        self.is_open = np.ones(len(self.rows), dtype=bool)


class Picker:
    """A seed in the making.

    Args:
        near_copies_above: cosine with a chosen pair of another context above which a pair is left out; 1: none is.
        diverse: within a cell and a turn of contexts, the least alike first; else in the order given.
    """

    def __init__(self, *, near_copies_above: float, diverse: bool) -> None:
        self.near_copies_above, self.diverse = near_copies_above, diverse
        self.num_copies = 0
        self._cells: list[_Cell] = []

    def add_cell(self, rows: Sequence[dict[str, Any]], vectors: Vectors) -> None:
        """Add a quota cell; cells take turns in the order they were added.

        Args:
            rows: with `context_id`, in the order in which equals are taken.
            vectors: unit vectors of the rows, [N, D].
        """
        self._cells.append(_Cell(rows, vectors))

    def pick(self, size: int) -> list[dict[str, Any]]:
        """Return at most `size` rows, in the order of choice; fewer when everything left is a near-copy."""
        chosen: list[dict[str, Any]] = []
        cells = list(self._cells)
        while cells and len(chosen) < size:
            for cell in list(cells):
                at = self._next(cell) if len(chosen) < size else None
                if at is not None:
                    chosen.append(cell.rows[at])
                    self._note(cell.contexts[at], cell.vectors[at])
                elif len(chosen) < size:
                    cells.remove(cell)
        return chosen

    def _next(self, cell: _Cell) -> int | None:
        places = np.flatnonzero(cell.is_open)
        if not len(places):
            return None
        first_turn = places[cell.turns[places] == cell.turns[places].min()]
        at = int(first_turn[np.argmin(cell.likeness[first_turn])]) if self.diverse else int(first_turn[0])
        cell.is_open[at] = False
        return at

    def _note(self, context: str, vector: NDArray[np.float32]) -> None:
        """Every open candidate learns of the new pair: its own context waits, near-copies leave."""
        for cell in self._cells:
            same = cell.contexts == context
            cell.turns[same] += 1
            found = np.where(same, -1.0, cell.vectors @ vector).astype(np.float32)
            cell.likeness = np.maximum(cell.likeness, found)
            if self.near_copies_above < 1.0:
                copies = cell.is_open & (cell.likeness > self.near_copies_above)
                self.num_copies += int(copies.sum())
                cell.is_open &= ~copies
