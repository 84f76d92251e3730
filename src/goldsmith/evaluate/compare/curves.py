"""Best-of-N of every model that scored lists: the sets of PPE Correctness, and other lists of three replies or more."""

from __future__ import annotations

from collections.abc import Sequence

from goldsmith.evaluate.best_of_n import best_of_n
from goldsmith.evaluate.compare.data import CurveRow
from goldsmith.evaluate.result import ItemRecord

ALL = "all"
FEWEST_REPLIES = 3
NOT_LISTS = frozenset({"rm-bench"})
"""Benchmarks whose several replies are one reply in several styles: choosing among them is no best-of-N."""


def curve_rows(model: str, benchmark: str, items: Sequence[ItemRecord], *, seed: int, resamples: int) -> list[CurveRow]:
    """Return the curves of one model on one benchmark: `all` (the mean of the sets), then each set; none without lists."""
    lists = [item for item in items if len(item.good) >= FEWEST_REPLIES and len(item.scores) == len(item.good)]
    if not lists or benchmark in NOT_LISTS:
        return []
    groups = sorted({item.subset for item in lists})
    rows = []
    for name in [ALL, *(groups if len(groups) > 1 else [])]:
        chosen = lists if name == ALL else [item for item in lists if item.subset == name]
        curve = best_of_n(
            [item.scores for item in chosen],
            [item.good for item in chosen],
            [item.prompt_id for item in chosen],
            groups=[item.subset for item in chosen],
            seed=seed,
            resamples=resamples,
        )
        if curve is not None and curve.size >= FEWEST_REPLIES:
            rows.append(CurveRow(model=model, benchmark=benchmark, group=name, curve=curve))
    return rows
