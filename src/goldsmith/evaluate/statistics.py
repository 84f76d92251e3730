"""Accuracies and differences with honest intervals: pairs of one prompt are not independent, so prompts are resampled.

Every estimate carries how much it rests on (pairs, prompts, ties); where nothing can be said, its numbers are None and
`reason` says why. NumPy only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Z_95 = 1.959963984540054
"""The 97.5 % quantile of the standard normal distribution."""

_CELLS_AT_ONCE = 2_000_000
"""Resampled prompts held in memory at once (16 bytes each)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean in [0, 1], or a difference in [-1, 1], with its 95 % interval and what it rests on."""

    value: float | None = None
    """The estimate; None when there are no pairs."""
    low: float | None = None
    """Lower end of the interval; None when none can be given."""
    high: float | None = None
    """Upper end of the interval."""
    num_pairs: int = 0
    """Pairs counted."""
    num_contexts: int = 0
    """Different prompts among them: what the interval's width depends on."""
    num_ties: int = 0
    """Pairs whose replies scored exactly equal; they count as wrong."""
    method: Literal["cluster-bootstrap", "wilson", "none"] = "none"
    """How the interval was made."""
    reason: str | None = None
    """Why there is no value, or no interval, or why another method stands in."""

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval exists and lies wholly on one side of 0."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def accuracy(
    correct: ArrayLike, contexts: Sequence[Any] | NDArray[Any], *, ties: ArrayLike | None = None, seed: int, resamples: int = 2000
) -> Estimate:
    """Return the share of right pairs with a 95 % percentile bootstrap interval, clustered by prompt.

    Args:
        correct: one value a pair in [0, 1]: 1 where the chosen reply scored strictly higher; shape [N]. Fractions are
            allowed for baselines that guess (0.5).
        contexts: the prompt's id of each pair, shape [N]; pairs of one prompt are resampled together.
        ties: true where both replies scored equal, shape [N]; counted, and wrong whatever `correct` says.
        seed: seed of the resampling.
        resamples: bootstrap samples.

    Returns:
        Scale [0, 1]. No pairs: value None. One prompt: no interval. When every prompt has the same outcome the bootstrap
        has no width, and Wilson's interval over the number of prompts stands in.
    """
    values = np.asarray(correct, dtype=np.float64).copy()
    tied = np.zeros(len(values), dtype=bool) if ties is None else np.asarray(ties, dtype=bool)
    values[tied] = 0.0
    estimate = _clustered_mean(values, contexts, num_ties=int(tied.sum()), seed=seed, resamples=resamples)
    if estimate.method == "cluster-bootstrap" and estimate.low == estimate.high and estimate.value in (0.0, 1.0):
        low, high = wilson(int(estimate.value * estimate.num_contexts), estimate.num_contexts) or (None, None)
        reason = "every pair has the same outcome: Wilson's interval over the prompts"
        return Estimate(
            value=estimate.value, low=low, high=high, num_pairs=estimate.num_pairs, num_contexts=estimate.num_contexts,
            num_ties=estimate.num_ties, method="wilson", reason=reason,
        )  # fmt: skip
    return estimate


def paired_difference(
    minuend: ArrayLike, subtrahend: ArrayLike, contexts: Sequence[Any] | NDArray[Any], *, seed: int, resamples: int = 2000
) -> Estimate:
    """Return the accuracy of one model minus that of another on the same pairs, with a clustered 95 % interval.

    Args:
        minuend: outcomes of the first model, in [0, 1], ties already 0; shape [N].
        subtrahend: outcomes of the second, pair by pair in the same order; shape [N].
        contexts: the prompt's id of each pair, shape [N].
        seed: seed of the resampling.
        resamples: bootstrap samples.

    Returns:
        Scale [-1, 1], positive when the first model is better. No pairs: value None.

    Raises:
        ValueError: the two models do not have the same number of pairs.
    """
    one, other = np.asarray(minuend, dtype=np.float64), np.asarray(subtrahend, dtype=np.float64)
    if one.shape != other.shape:
        raise ValueError(f"paired outcomes differ in number: {one.shape} and {other.shape}; give both models the same pairs")
    return _clustered_mean(one - other, contexts, num_ties=0, seed=seed, resamples=resamples)


def wilson(num_correct: int, num: int) -> tuple[float, float] | None:
    """Return Wilson's 95 % score interval of a share, scale [0, 1]; None for no trials.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", 1927.
    """
    if num == 0:
        return None
    share, squared = num_correct / num, Z_95 * Z_95
    centre = (share + squared / (2 * num)) / (1 + squared / num)
    half = Z_95 * sqrt(share * (1 - share) / num + squared / (4 * num * num)) / (1 + squared / num)
    return max(0.0, centre - half), min(1.0, centre + half)


def expected_calibration_error(probabilities: ArrayLike, outcomes: ArrayLike, *, bins: int = 10) -> float | None:
    """Return the mean gap between stated probability and observed frequency, weighted by bin size; scale [0, 1].

    Args:
        probabilities: stated probability that the outcome is true, in [0, 1], shape [N]. For a preference give the
            confidence `max(p, 1 - p)`.
        outcomes: what happened, true or false, shape [N].
        bins: bins of equal width over [0, 1]; a value on an edge falls into the upper bin, 1.0 into the last.

    Returns:
        None when there is nothing to compare.
    """
    stated, seen = np.asarray(probabilities, dtype=np.float64), np.asarray(outcomes, dtype=np.float64)
    if len(stated) == 0:
        return None
    index = np.minimum((stated * bins).astype(np.int64), bins - 1)
    gaps = np.bincount(index, weights=stated - seen, minlength=bins)
    return float(np.abs(gaps).sum() / len(stated))


def _clustered_mean(
    values: NDArray[np.float64], contexts: Sequence[Any] | NDArray[Any], *, num_ties: int, seed: int, resamples: int
) -> Estimate:
    """Return the mean of `values` with the percentile interval of whole prompts drawn with replacement."""
    if len(values) != len(contexts):
        raise ValueError(f"{len(values)} outcomes but {len(contexts)} prompts; give one prompt id for each pair")
    if len(values) == 0:
        return Estimate(reason="no pairs")
    _, index = np.unique(np.asarray(contexts), return_inverse=True)
    sums = np.bincount(index, weights=values).astype(np.float64)
    sizes = np.bincount(index).astype(np.float64)
    mean, num_contexts = float(values.mean()), len(sums)
    if num_contexts < 2:
        return Estimate(
            value=mean, num_pairs=len(values), num_contexts=num_contexts, num_ties=num_ties, reason="one prompt only: no interval"
        )
    means = _resampled_means(sums, sizes, resamples=resamples, seed=seed)
    low, high = np.quantile(means, [0.025, 0.975])
    return Estimate(
        value=mean, low=float(low), high=float(high), num_pairs=len(values), num_contexts=num_contexts, num_ties=num_ties,
        method="cluster-bootstrap",
    )  # fmt: skip


def _resampled_means(sums: NDArray[np.float64], sizes: NDArray[np.float64], *, resamples: int, seed: int) -> NDArray[np.float64]:
    """Return the mean over pairs of each resample of the prompts, shape [resamples]; memory is bounded."""
    generator, count = np.random.default_rng(seed), len(sums)
    rows = max(1, min(resamples, _CELLS_AT_ONCE // count))
    means = np.empty(resamples)
    for start in range(0, resamples, rows):
        drawn = generator.integers(0, count, size=(min(rows, resamples - start), count))
        means[start : start + len(drawn)] = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    return means
