"""Coverage: how many pairs there are of each task, objectivity and controversiality."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict

from goldsmith.store import Workspace

OBJECTIVITY = ("factual", "opinion", "open-ended")
CONTROVERSIALITY = ("low", "medium", "high")
MIN_TASKS = 50
"""How many kinds of task a pool should cover (spec 2)."""


class Cell(BaseModel):
    """Pairs with one combination of attributes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: str
    objectivity: str
    controversiality: str
    pairs: int


class Coverage(BaseModel):
    """The coverage table; cells without pairs are left out. `pairs` = the sum over cells + `without_attributes`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pairs: int
    without_attributes: int
    num_tasks: int
    cells: list[Cell]

    def by(self, *columns: str) -> dict[tuple[str, ...], int]:
        """Return pairs by the named attributes, most first: `by("task")`, `by("objectivity", "controversiality")`."""
        counts: Counter[tuple[str, ...]] = Counter()
        for cell in self.cells:
            counts[tuple(getattr(cell, column) for column in columns)] += cell.pairs
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def count_attributes(pair_ids: Iterable[str], attributes: Iterable[dict[str, Any]]) -> Coverage:
    """Return the coverage of pairs.

    Args:
        pair_ids: the pool's pairs; attributes of other pairs do not count.
        attributes: rows with pair_id, task, objectivity and controversiality.
    """
    pool = set(pair_ids)
    counts: Counter[tuple[str, str, str]] = Counter()
    for row in attributes:
        if row["pair_id"] in pool:
            counts[row["task"], row["objectivity"], row["controversiality"]] += 1
    cells = [
        Cell(task=task, objectivity=objectivity, controversiality=controversiality, pairs=pairs)
        for (task, objectivity, controversiality), pairs in sorted(counts.items())
    ]
    tasks = len({cell.task for cell in cells})
    return Coverage(pairs=len(pool), without_attributes=len(pool) - sum(counts.values()), num_tasks=tasks, cells=cells)


def coverage(workspace: Workspace) -> Coverage:
    """Return the coverage of the workspace's pool, from its tables `pool` and `attributes`.

    Raises:
        StoreError: one of them has not been made yet.
    """
    names = (name for batch in workspace.table("pool").batches(["pair_id"]) for name in batch.column(0).to_pylist())
    columns = ["pair_id", "task", "objectivity", "controversiality"]
    rows = (row for batch in workspace.table("attributes").batches(columns) for row in batch.to_pylist())
    return count_attributes(names, rows)
