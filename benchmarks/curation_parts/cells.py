"""One cell of the experiment: its pool is built, its arms decide what a final model learns, and heads are measured."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from curation_parts.arms import ARMS, final_head
from curation_parts.data import Data, split
from curation_parts.lab import Lab
from curation_parts.noise import judge_choices, noisy_labels
from curation_parts.outcomes import Cell, encoded
from curation_parts.training import Training
from curation_parts.wall import Scorer, build

THRESHOLDS = tuple(round(0.5 + 0.025 * step, 3) for step in range(20))


def trained(
    data: Data, cell: Cell, arms: list[str], tests: dict[str, Any] | None = None
) -> Iterator[tuple[str, Lab, Training, Scorer]]:
    """Yield what each arm of a cell has its final model learn; each gets a fresh oracle, and all share fits of equal training sets.

    Args:
        data: all pairs.
        cell: pool, noise, judge, budget and seed.
        arms: names in `ARMS`, or `clean`.
        tests: places of each test's pairs; none: those of `split`.
    """
    pool_rows, test_rows = split(data, cell.size, cell.seed)
    truth, replies = np.asarray(data.truth)[pool_rows], data.replies.of(pool_rows)
    label = noisy_labels(truth, replies.length, replies.format, cell.noise, cell.rate, cell.seed)  # type: ignore[arg-type]
    judge = judge_choices(truth, replies.length, cell.judge, cell.seed)
    budget = round(cell.budget * len(pool_rows))
    memo: dict[Any, Any] = {}
    for arm in arms:
        pool, oracle, scorer = build(
            data.replies, data.truth, data.gap, pool_rows, tests or test_rows, label, judge, budget, cell.seed
        )
        lab = Lab(pool, oracle, cell.seed, memo)
        everything = np.ones(lab.num, dtype=bool)
        yield (
            arm,
            lab,
            Training(use=everything, p_first=scorer.clean().astype(float)) if arm == "clean" else ARMS[arm](lab),
            scorer,
        )


def measured(data: Data, cell: Cell, arms: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Train the arms' heads in one cell and measure them."""
    for arm, lab, training, scorer in trained(data, cell, arms):
        found = {test: encoded(right) for test, right in outcomes(scorer, final_head(lab, training)).items()}
        longer = {test: encoded(scorer.right(test, replies.length)) for test, replies in scorer.tests.items()}
        row = {
            "right": found,
            "longer": longer if arm == "clean" else {},
            "labels_read": len(lab.oracle.log),
            "pairs": int(training.use.sum()),
            "quality": scorer.decisions(training.kept, training.flipped) if training.kept is not None else None,
            "curve": threshold_curve(scorer, lab.pool.label, training.belief) if training.belief is not None else None,
            "pool": lab.num,
        }
        yield arm, row


def threshold_curve(scorer: Scorer, label: Any, belief: Any) -> list[dict[str, float]]:
    """Precision and recall of keeping and flipping at every threshold; `expected` is the precision of keep that the beliefs themselves promise."""
    right = np.where(label, belief, 1.0 - belief)
    rows = []
    for bar in THRESHOLDS:
        kept = right > bar
        rows.append(
            {
                "sure_above": bar,
                "expected": float(right[kept].mean()) if kept.any() else 1.0,
                **scorer.decisions(kept, 1.0 - right > bar),
            }
        )
    return rows


def outcomes(scorer: Scorer, weight: Any) -> dict[str, Any]:
    """Whether each test pair is ranked rightly, by test."""
    return {name: scorer.right(name, replies.difference @ weight) for name, replies in scorer.tests.items()}
