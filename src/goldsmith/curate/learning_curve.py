"""How accuracy grows with gold: heads refitted with fewer gold pairs, and what the line through them promises for more.

Accuracy on prompts that were held out is taken as a + b log n in the number n of gold pairs, which holds over a doubling or two and not
beyond. Prompts are resampled for the interval. Where it cannot be told whether more labels help, that is the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

SHARES = (0.25, 0.35, 0.5, 0.7, 1.0)
"""Shares of the gold pairs that are left to fit on."""
FOLDS, REPEATS, RESAMPLES = 5, 4, 1000
FEWEST = 40
"""Gold pairs below which no curve is drawn."""
FARTHEST = 3.0
"""A curve is not followed beyond so many times the gold there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Outcomes of heads fitted to parts of gold.

    Attributes:
        sizes: mean number of gold pairs fitted to, [S], rising.
        right: share of `REPEATS` draws in which each pair is ranked as people did, [S, N].
        contexts: prompt of each pair, [N].
        num_pairs: gold pairs there are.
    """

    sizes: Floats
    right: Floats
    contexts: Sequence[str]
    num_pairs: int

    @property
    def accuracy(self) -> list[float]:
        """Accuracy at each size."""
        return [float(value) for value in self.right.mean(axis=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """What more of something is expected to add to an accuracy.

    Attributes:
        value: the expected rise, in [-1, 1]; None when it cannot be estimated.
        low, high: 95 % interval.
        verdict: `helps`, `does not pay` (the whole interval is at or below 0) or `cannot tell`.
        reason: why it cannot be told, or None.
    """

    value: float | None
    low: float | None
    high: float | None
    verdict: str
    reason: str | None = None


def learning_curve(
    features_first: ArrayLike,
    features_second: ArrayLike,
    is_first: ArrayLike,
    contexts: Sequence[str],
    l2: Sequence[float],
    seed: int,
) -> Curve | None:
    """Return the curve of gold pairs; None for fewer than `FEWEST` pairs or twice `FOLDS` prompts.

    Args:
        features_first: [N, D].
        features_second: [N, D].
        is_first: whether people prefer `first`, [N].
        contexts: prompts [N], which folds and parts keep together.
        l2: penalties; one is chosen on everything and used for all parts.
        seed: of folds and parts.
    """
    from goldsmith.reward.head import assign_folds, fit_head

    first, second = np.asarray(features_first, dtype=np.float64), np.asarray(features_second, dtype=np.float64)
    wins = np.asarray(is_first, dtype=bool)[:, None]
    chosen, rejected = np.where(wins, first, second), np.where(wins, second, first)
    if len(wins) < FEWEST or len(set(contexts)) < 2 * FOLDS:
        return None
    chosen_l2 = (fit_head(chosen, rejected, contexts, l2, seed).l2,)
    names = np.array(contexts, dtype=object)
    right, sizes = np.zeros((len(SHARES), len(wins))), np.zeros((len(SHARES), REPEATS, FOLDS))
    for repeat in range(REPEATS):
        fold_N = assign_folds(contexts, FOLDS, seed + repeat)
        for fold in range(FOLDS):
            held = fold_N == fold
            order = np.random.default_rng((seed, repeat, fold)).permutation(np.unique(names[~held].astype(str)))
            for at, share in enumerate(SHARES):
                part = ~held & np.isin(names.astype(str), order[: max(2, round(share * len(order)))])
                weight = fit_head(chosen[part], rejected[part], names[part].tolist(), chosen_l2, seed).weight
                right[at, held] += ((chosen[held] - rejected[held]) @ weight > 0) / REPEATS
                sizes[at, repeat, fold] = part.sum()
    return Curve(sizes=sizes.mean(axis=(1, 2)), right=right, contexts=list(contexts), num_pairs=len(wins))


def gain_of_more(curve: Curve | None, more: int, num_gold: int, seed: int) -> Gain:
    """Return the rise in held-out accuracy that `more` gold pairs are expected to bring.

    Args:
        curve: None where there is too little gold for one.
        more: pairs that people would label.
        num_gold: decided gold pairs there are, for the sentence.
        seed: of the resampling.
    """
    if curve is None:
        return Gain(
            value=None, low=None, high=None, verdict="cannot tell",
            reason=f"{num_gold} decided gold pairs outside the audit part; a curve needs {FEWEST} of {2 * FOLDS} prompts",
        )  # fmt: skip
    if curve.num_pairs + more > FARTHEST * curve.num_pairs:
        return Gain(
            value=None, low=None, high=None, verdict="cannot tell",
            reason=f"{more} labels would be more than {FARTHEST - 1:.0f} times the {curve.num_pairs} there are; a curve says nothing so far out",
        )  # fmt: skip
    step = float(np.log1p(more / curve.num_pairs))
    _, index = np.unique(np.asarray(curve.contexts), return_inverse=True)
    num = int(index.max()) + 1
    sums = np.stack([np.bincount(index, weights=row, minlength=num) for row in curve.right])
    counts = np.bincount(index, minlength=num).astype(np.float64)
    drawn = np.random.default_rng(seed).multinomial(num, np.full(num, 1.0 / num), size=RESAMPLES).astype(np.float64)
    means = (drawn @ sums.T) / (drawn @ counts)[:, None]
    low, high = (float(value) for value in np.quantile(_slope(curve.sizes, means) * step, [0.025, 0.975]))
    value = float(_slope(curve.sizes, curve.right.mean(axis=1)[None])[0]) * step
    return gain_between(value, low, high)


def gain_between(value: float | None, low: float, high: float) -> Gain:
    """Return a gain with the verdict of its interval, and why where it cannot be told."""
    verdict = "helps" if low > 0 else "does not pay" if high <= 0 else "cannot tell"
    return Gain(
        value=value, low=low, high=high, verdict=verdict, reason="the interval holds zero" if verdict == "cannot tell" else None
    )


def _slope(sizes: Floats, accuracy: Floats) -> Floats:
    """Least-squares slope of accuracy in log n, [R] for [R, S]."""
    x = np.log(sizes) - np.log(sizes).mean()
    spread = float(x @ x)
    return np.asarray(accuracy @ x / spread if spread > 0 else np.zeros(len(accuracy)), dtype=np.float64)
