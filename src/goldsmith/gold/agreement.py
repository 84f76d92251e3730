"""Krippendorff's alpha of votes, its bootstrap interval, and what the gate says of it.

Alpha is computed from counts of equal rows, so that the interval over a million pairs costs no more than over a hundred: there are few patterns of votes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from goldsmith.gold.adjudicate import signed_strength
from goldsmith.types import Vote, VoteChoice

CHOICES: list[VoteChoice] = ["first", "second", "tie", "discard"]
FEWEST_PAIRS = 10
"""Below this the gate decides nothing: a bootstrap of one or two pairs has no width."""
STRENGTHS = [-2, -1, 0, 1, 2]
Outcome = Literal["pass", "fail", "undecided"]
Level = Literal["nominal", "ordinal"]
Pattern = tuple[int, ...]
"""How many votes of one pair fell on each category."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Alpha (1 perfect, 0 chance) with its 95 % interval; None where it is not defined."""

    alpha: float | None
    low: float | None
    high: float | None
    num_pairs: int


def alpha_first(votes_by_pair: Sequence[Sequence[Vote]], *, seed: int, resamples: int = 500) -> Agreement:
    """Return nominal alpha over the choices of first-round votes, with an interval from resampled pairs.

    Args:
        votes_by_pair: for each pair, its votes; those of other rounds, and pairs with fewer than two, count for nothing.
        seed: of the bootstrap.
        resamples: bootstrap samples of pairs.
    """
    rows = [choice_pattern(vote.choice for vote in votes if vote.round == "first") for votes in votes_by_pair]
    return alpha_of(Counter(rows), "nominal", seed=seed, resamples=resamples)


def alpha_strength(votes_by_pair: Sequence[Sequence[Vote]], *, seed: int, resamples: int = 500) -> Agreement:
    """Return ordinal alpha over the signed strengths (-2 second much better to 2 first much better) of first-round votes; discards have none."""
    rows = [
        strength_pattern(signed_strength(vote) for vote in votes if vote.round == "first" and vote.choice != "discard")
        for votes in votes_by_pair
    ]
    return alpha_of(Counter(rows), "ordinal", seed=seed, resamples=resamples)


def alpha_retest(before_and_after: Iterable[tuple[VoteChoice, VoteChoice]], *, seed: int, resamples: int = 500) -> Agreement:
    """Return nominal alpha of a first verdict and the vote when the pair was judged again, blind (contracts: Gold, gate)."""
    return alpha_of(Counter(choice_pattern(pair) for pair in before_and_after), "nominal", seed=seed, resamples=resamples)


def alpha_of(patterns: Counter[Pattern], level: Level, *, seed: int, resamples: int = 500) -> Agreement:
    """Return alpha of pairs given as counts by category.

    Args:
        patterns: how often each pattern occurs; those with fewer than two votes count for nothing.
        level: of measurement; `ordinal` takes the categories in their order.
        seed: of the bootstrap over pairs.
        resamples: bootstrap samples; 0: no interval.
    """
    kept = {pattern: count for pattern, count in sorted(patterns.items()) if sum(pattern) >= 2}
    num_pairs = sum(kept.values())
    if not kept:
        return Agreement(alpha=None, low=None, high=None, num_pairs=0)
    coincidences = np.stack([_coincidences(pattern) for pattern in kept])
    counts = np.array(list(kept.values()), dtype=np.float64)
    alpha = float(_alphas(counts[None], coincidences, level)[0])
    if np.isnan(alpha):
        return Agreement(alpha=None, low=None, high=None, num_pairs=num_pairs)
    if not resamples:
        return Agreement(alpha=alpha, low=None, high=None, num_pairs=num_pairs)
    draws = np.random.default_rng(seed).multinomial(num_pairs, counts / num_pairs, size=resamples).astype(np.float64)
    # A resample in which every vote is the same has no alpha; agreement in it is perfect.
    values = np.nan_to_num(_alphas(draws, coincidences, level), nan=1.0)
    low, high = np.quantile(values, [0.025, 0.975])
    return Agreement(alpha=alpha, low=float(low), high=float(high), num_pairs=num_pairs)


def choice_pattern(choices: Iterable[str]) -> Pattern:
    """Return how many of the choices are first, second, tie and discard."""
    found = Counter(choices)
    return tuple(found[choice] for choice in CHOICES)


def strength_pattern(strengths: Iterable[int]) -> Pattern:
    """Return how many of the signed strengths are -2, -1, 0, 1 and 2."""
    found = Counter(strengths)
    return tuple(found[strength] for strength in STRENGTHS)


def gate_outcome(agreement: Agreement, min_alpha: float) -> Outcome:
    """Return pass, fail or undecided by the interval of alpha against the bar (contracts: Gold, gate)."""
    if agreement.low is None or agreement.high is None or agreement.num_pairs < FEWEST_PAIRS:
        return "undecided"
    if agreement.low > min_alpha:
        return "pass"
    return "fail" if agreement.high < min_alpha else "undecided"


def together(outcomes: Iterable[Outcome]) -> Outcome:
    """Return the outcome of several checks: one that fails fails all, and all must pass."""
    found = set(outcomes)
    if "fail" in found:
        return "fail"
    return "pass" if found == {"pass"} else "undecided"


def _coincidences(pattern: Pattern) -> NDArray[np.float64]:
    """Ordered pairs of votes of one pair, by their categories, over the votes less one: Krippendorff's coincidence matrix of one unit."""
    votes = np.array(pattern, dtype=np.float64)
    matrix = np.outer(votes, votes) - np.diag(votes)
    return np.asarray(matrix / (votes.sum() - 1))


def _alphas(counts_RP: NDArray[np.float64], coincidences_PKK: NDArray[np.float64], level: Level) -> NDArray[np.float64]:
    """Alpha of each of R samples, which hold each of P patterns so many times; NaN where all votes are of one category."""
    observed = np.tensordot(counts_RP, coincidences_PKK, axes=1)
    marginals = observed.sum(axis=2)
    totals = marginals.sum(axis=1)
    distance = _distances(marginals, level)
    expected = (marginals[:, :, None] * marginals[:, None, :] * distance).sum(axis=(1, 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(expected > 0, 1 - (totals - 1) * (observed * distance).sum(axis=(1, 2)) / expected, np.nan))


def _distances(marginals_RK: NDArray[np.float64], level: Level) -> NDArray[np.float64]:
    """Squared differences of categories: 0 or 1 (nominal), or the votes that lie between them, both ends by half (ordinal)."""
    size = marginals_RK.shape[1]
    if level == "nominal":
        return np.broadcast_to(1 - np.eye(size), (len(marginals_RK), size, size))
    middle = np.cumsum(marginals_RK, axis=1) - marginals_RK / 2
    return np.asarray((middle[:, :, None] - middle[:, None, :]) ** 2)
