"""Krippendorff's alpha of first-round votes, its bootstrap interval, and what the gate says of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from goldsmith.types import Vote, VoteChoice

CHOICES: list[VoteChoice] = ["first", "second", "tie", "discard"]
Outcome = Literal["pass", "fail", "undecided"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Nominal alpha (1 perfect, 0 chance) with its 95 % interval; None where it is not defined."""

    alpha: float | None
    low: float | None
    high: float | None
    num_pairs: int


def alpha_first(votes_by_pair: Sequence[Sequence[Vote]], *, seed: int, resamples: int = 500) -> Agreement:
    """Return nominal alpha over the choices of first-round votes, with an interval from resampled pairs.

    Args:
        votes_by_pair: for each pair, its first-round votes; pairs with fewer than two count for nothing.
        seed: of the bootstrap.
        resamples: bootstrap samples of pairs.
    """
    counts = _choice_counts(votes_by_pair)
    alpha = _alpha(counts)
    if alpha is None:
        return Agreement(alpha=None, low=None, high=None, num_pairs=len(counts))
    generator = np.random.default_rng(seed)
    draws = [_alpha(counts[generator.integers(0, len(counts), len(counts))]) for _ in range(resamples)]
    # A resample in which every vote is the same has no alpha; agreement in it is perfect.
    values = [1.0 if draw is None else draw for draw in draws]
    low, high = np.quantile(values, [0.025, 0.975])
    return Agreement(alpha=alpha, low=float(low), high=float(high), num_pairs=len(counts))


def gate_outcome(agreement: Agreement, min_alpha: float) -> Outcome:
    """Return pass, fail or undecided by the interval of alpha against the bar (contracts: Gold, gate)."""
    if agreement.low is None or agreement.high is None:
        return "undecided"
    if agreement.low > min_alpha:
        return "pass"
    return "fail" if agreement.high < min_alpha else "undecided"


def _choice_counts(votes_by_pair: Sequence[Sequence[Vote]]) -> NDArray[np.int64]:
    rows = []
    for votes in votes_by_pair:
        choices = [vote.choice for vote in votes if vote.round == "first"]
        if len(choices) >= 2:
            rows.append([choices.count(choice) for choice in CHOICES])
    return np.array(rows, dtype=np.int64).reshape(len(rows), len(CHOICES))


def _alpha(counts: NDArray[np.int64]) -> float | None:
    """Alpha of a pairs x choices table of counts; None when there is nothing to disagree about."""
    used = counts.sum(axis=0)
    if len(counts) == 0 or (used > 0).sum() < 2:
        return None
    import krippendorff

    return float(krippendorff.alpha(value_counts=counts, level_of_measurement="nominal"))
