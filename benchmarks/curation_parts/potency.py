"""How many labels one way of asking needs for the accuracy that another reaches: a parallel-line assay over the budgets of one setting.

Accuracy is taken to rise linearly with the logarithm of the number of human labels, at one slope for all ways of asking (the estimate for
"relative potency" that bioassays use; Finney, Statistical Method in Biological Assay). With mean accuracy difference d over the budgets and
slope b for a doubling, the other way needs 2^(-d / b) times the labels. Intervals resample prompts; where resampled slopes are not positive,
more labels did not help, and the ratio has no bound on that side.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Any

import numpy as np

from curation_parts.data import MAIN_TEST, Data
from curation_parts.outcomes import Outcomes, cell_of

AT_RANDOM = "joint, soft"
ASKING = ("joint, soft, adaptive", "joint, soft, uncertain")
FEWEST_BUDGETS = 3


def labels_needed(results: list[dict[str, Any]], data: Data) -> dict[str, dict[str, dict[str, float | None]]]:
    """Return, by setting (without its budget) and way of asking, the labels it needs for each label that is drawn at random."""
    by_setting: dict[str, dict[float, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for row in results:
        cell = cell_of(row)
        by_setting[replace(cell, budget=0.0).setting.rpartition(", people")[0]][cell.budget].append(row)
    found = {}
    for setting, by_budget in by_setting.items():
        outcomes = {budget: Outcomes(rows, data) for budget, rows in sorted(by_budget.items())}
        arms = [arm for arm in ASKING if all({arm, AT_RANDOM} <= set(one.arms) for one in outcomes.values())]
        if len(outcomes) >= FEWEST_BUDGETS and arms:
            found[setting] = {arm: needed(outcomes, arm) for arm in arms}
    return found


def needed(by_budget: dict[float, Outcomes], arm: str) -> dict[str, float | None]:
    """Labels of `arm` for each label at random: `value`, `low` and `high`, None without a bound; and `gain`, the accuracy a doubling brings."""
    doublings = np.log2(np.array(list(by_budget)))
    values = [np.array([one.right(name, MAIN_TEST).mean() for one in by_budget.values()]) for name in (AT_RANDOM, arm)]
    drawn = [np.stack([one.resampled(name, MAIN_TEST) for one in by_budget.values()], axis=-1) for name in (AT_RANDOM, arm)]
    ratio, slope = _ratio(doublings, *values)
    resampled, _ = _ratio(doublings, *drawn)
    low, high = np.quantile(resampled, [0.025, 0.975], method="nearest")
    found = {"value": float(ratio), "low": float(low), "high": float(high), "gain": float(slope)}
    return {name: value if np.isfinite(value) else None for name, value in found.items()}


def _ratio(doublings: Any, base: Any, other: Any) -> tuple[Any, Any]:
    """Ratio and common slope of accuracies [..., B]; without a positive slope infinitely many labels, or none, stand for the difference."""
    centred = doublings - doublings.mean()
    slope = (centred * (base + other) / 2).sum(-1) / (centred**2).sum()
    ahead = (other - base).mean(-1)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = np.where(slope > 0, np.exp2(-ahead / slope), np.where(ahead > 0, 0.0, np.inf))
    return np.where((slope <= 0) & (ahead == 0), 1.0, ratio), slope
