"""Best-of-N in closed form: how good the top-scored of k replies is, when k are drawn from a list without replacement.

With replies sorted by score, best first, the one at rank t (from 0) is the top of a draw of k from K with probability
C(K-1-t, k-1) / C(K, k); replies of equal score share the probability of their ranks. Nothing is sampled.
Shapes: L lists, K replies a list.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import comb
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goldsmith.evaluate.resample import Floats, interval, resampled_totals, totals_by_prompt
from goldsmith.evaluate.statistics import Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Expected quality of the best of k, k = 1..K, with 95 % intervals over prompts."""

    quality: tuple[float, ...]
    """B(k): expected quality of the reply with the highest score among k; B(1) is the mean quality."""
    low: tuple[float, ...]
    """Lower ends; empty with a single prompt."""
    high: tuple[float, ...]
    """Upper ends."""
    perfect: tuple[float, ...]
    """B*(k): the same with the quality itself as the score."""
    max_score: Estimate
    """The largest B(k)."""
    end_score: Estimate
    """B(K)."""
    loss: Estimate
    """Mean over k of B*(k) - B(k)."""
    num_lists: int
    num_failed: int = 0
    """Scores that were absent; such a reply is picked last."""

    @property
    def size(self) -> int:
        """K, the largest N."""
        return len(self.quality)


def selection_weights(size: int) -> Floats:
    """Return w[t, k-1], the probability that the reply at rank t is the top of k drawn from `size`; columns sum to 1."""
    weights = np.zeros((size, size))
    for k in range(1, size + 1):
        for rank in range(size - k + 1):
            weights[rank, k - 1] = comb(size - 1 - rank, k - 1) / comb(size, k)
    return weights


def expected_best(scores: Sequence[float | None], quality: Sequence[float]) -> Floats:
    """Return B(k) of one list, k = 1..K.

    Args:
        scores: one a reply; None is a failed score, picked last. Equal scores share their ranks.
        quality: one a reply, true/false or any finite number.

    Raises:
        ValueError: the lengths differ, the list is empty, or a score is NaN.
    """
    row: Floats = _expected_best(_scores(scores, len(quality))[None, :], np.asarray(quality, dtype=np.float64)[None, :])[0]
    return row


def best_of_n(
    scores: Sequence[Sequence[float | None]],
    quality: Sequence[Sequence[float]],
    contexts: Sequence[Any],
    *,
    seed: int,
    groups: Sequence[str] | None = None,
    resamples: int = 2000,
) -> Curve | None:
    """Return the curve averaged over lists, or over groups of lists; None without any list.

    Args:
        scores: for each list, one score a reply (see `expected_best`).
        quality: for each list, one quality a reply.
        contexts: the prompt's id of each list; lists of one prompt are resampled together.
        seed: seed of the intervals.
        groups: the set each list belongs to; the curve is then the plain mean of the sets' curves (PPE Correctness: five sets).
        resamples: bootstrap samples.

    Returns:
        K is the length of the shortest list: a longer one's curve is cut there, so that every k is a mean over the same lists.

    Raises:
        ValueError: a list is empty, lengths differ, or a score is NaN.
    """
    if not scores:
        return None
    size = min(len(row) for row in quality)
    mine, perfect = _curves(scores, quality, size)
    found = _Sums(mine, perfect, contexts, groups or [""] * len(scores), seed=seed, resamples=resamples)
    low, high = found.band()
    return Curve(
        quality=tuple(found.whole[0].tolist()),
        low=low,
        high=high,
        perfect=tuple(found.whole[1].tolist()),
        max_score=found.estimate(lambda curve, _: curve.max(axis=-1)),
        end_score=found.estimate(lambda curve, _: curve[..., -1]),
        loss=found.estimate(lambda curve, best: (best - curve).mean(axis=-1)),
        num_lists=len(scores),
        num_failed=sum(score is None for row in scores for score in row),
    )


class _Sums:
    """Curves added up by prompt, and their resamples: both curves of a resample rest on the same prompts."""

    def __init__(
        self, mine_LK: Floats, perfect_LK: Floats, contexts: Sequence[Any], groups: Sequence[str], *, seed: int, resamples: int
    ) -> None:
        self.num_lists, self._size = mine_LK.shape
        names, place = np.unique(np.asarray(groups), return_inverse=True)
        width = 2 * self._size + 1
        features = np.zeros((self.num_lists, len(names), width))
        features[np.arange(self.num_lists), place] = np.hstack([mine_LK, perfect_LK, np.ones((self.num_lists, 1))])
        totals = totals_by_prompt(features.reshape(self.num_lists, -1), contexts)
        self.num_contexts = len(totals)
        self._shape = (len(names), width)
        self.whole = self._means(totals.sum(axis=0))
        self._draws = self._means(resampled_totals(totals, seed=seed, resamples=resamples)) if len(totals) > 1 else None

    def _means(self, sums: Floats) -> tuple[Floats, Floats]:
        """Return both curves: the mean over the groups that a draw has lists of."""
        table = sums.reshape(*sums.shape[:-1], *self._shape)
        with np.errstate(invalid="ignore"):
            means = np.nanmean(table[..., :-1] / table[..., -1:], axis=-2)
        return means[..., : self._size], means[..., self._size :]

    def band(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        if self._draws is None:
            return (), ()
        low, high = np.quantile(self._draws[0], [0.025, 0.975], axis=0)
        return tuple(low.tolist()), tuple(high.tolist())

    def estimate(self, figure: Any) -> Estimate:
        made = partial(Estimate, num_pairs=self.num_lists, num_contexts=self.num_contexts)
        value = float(figure(*self.whole))
        ends = None if self._draws is None else interval(figure(*self._draws))
        if ends is None:
            return made(value=value, reason="one prompt only: no interval")
        return made(value=value, low=ends[0], high=ends[1], method="cluster-bootstrap")


def _curves(scores: Sequence[Sequence[float | None]], quality: Sequence[Sequence[float]], size: int) -> tuple[Floats, Floats]:
    """Return B and B* of every list, cut at `size`; lists of one length are computed together."""
    mine, perfect = np.empty((len(scores), size)), np.empty((len(scores), size))
    by_length: dict[int, list[int]] = {}
    for place, row in enumerate(quality):
        by_length.setdefault(len(row), []).append(place)
    for length, places in by_length.items():
        truth = np.array([quality[place] for place in places], dtype=np.float64)
        own = np.array([_scores(scores[place], length) for place in places])
        mine[places] = _expected_best(own, truth)[:, :size]
        perfect[places] = _expected_best(truth, truth)[:, :size]
    return mine, perfect


def _scores(scores: Sequence[float | None], length: int) -> Floats:
    """Return the scores with minus infinity for failed ones."""
    if len(scores) != length or length == 0:
        raise ValueError(f"{len(scores)} scores for {length} replies; give one score for each, at least one")
    values = np.array([-np.inf if score is None else score for score in scores], dtype=np.float64)
    if np.isnan(values).any():
        raise ValueError("a score is NaN; a score is finite, or None where it failed")
    return values


def _expected_best(scores_LK: Floats, quality_LK: Floats) -> Floats:
    """Return B(k) of lists of one length: quality sorted by score, averaged inside blocks of ties, times the weights."""
    order = np.argsort(-scores_LK, axis=1, kind="stable")
    ranked = np.take_along_axis(scores_LK, order, axis=1)
    quality = np.take_along_axis(quality_LK, order, axis=1)
    return _block_means(ranked, quality) @ selection_weights(scores_LK.shape[1])


def _block_means(ranked_LK: Floats, quality_LK: Floats) -> Floats:
    """Return the quality with the mean of its block of equal scores at each rank."""
    starts: NDArray[np.bool_] = np.ones(ranked_LK.shape, dtype=bool)
    starts[:, 1:] = ranked_LK[:, 1:] != ranked_LK[:, :-1]
    block = np.cumsum(starts.ravel()) - 1
    sums, sizes = np.bincount(block, weights=quality_LK.ravel()), np.bincount(block)
    means: Floats = (sums / sizes)[block].reshape(ranked_LK.shape)
    return means
