"""Is a model as sure as it is right? Reliability of sigmoid(margin / T), raw and with a temperature fitted on other prompts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from goldsmith.evaluate.resample import Floats, Prompts, bootstrap, share
from goldsmith.evaluate.statistics import Estimate, accuracy
from goldsmith.identity import unit_interval

BINS = 10
"""Bins of equal width over [0.5, 1], the range of a decision's confidence."""
FEWEST = 20
"""Decided comparisons below which no temperature is fitted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Decisions of about the same confidence."""

    low: float
    high: float
    confidence: float
    """Mean stated confidence of the decisions in the bin."""
    right: Estimate
    """Share of them that are right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """Calibration of one way to make probabilities from margins. Ties have no decision; they are counted and left out."""

    bins: list[Bin]
    error: Estimate
    """Expected calibration error, scale [0, 1]; its interval is biased upwards where bins are thin."""
    brier: Estimate
    """Mean squared distance of the probability of the right reply from 1, scale [0, 1]; a coin toss has 0.25."""
    log_loss: float | None
    """Mean negative log-likelihood of the right reply, nats; a coin toss has 0.693."""
    temperature: float | None
    """By which margins were divided; the fit on all decisions, while the figures use fits on other prompts. 1: raw."""
    num_ties: int = 0


def reliability(margins: ArrayLike, contexts: Prompts, *, seed: int, temperatures: Floats | float = 1.0) -> Reliability:
    """Return how well sigmoid(margin / T) predicts the labels.

    Args:
        margins: score of the right reply minus that of the wrong one, finite, shape [N].
        contexts: the prompts' ids, shape [N].
        seed: seed of the intervals.
        temperatures: T of each comparison, positive, shape [N], or one for all.
    """
    every = np.asarray(margins, dtype=np.float64)
    decided = every != 0
    scaled = (every / temperatures)[decided]
    prompts = np.asarray(contexts)[decided]
    p_right = 0.5 * (1.0 + np.tanh(0.5 * scaled))
    right, confidence = scaled > 0, 0.5 * (1.0 + np.tanh(0.5 * np.abs(scaled)))
    squared = np.stack([(1.0 - p_right) ** 2, np.ones(len(scaled))], axis=1)
    return Reliability(
        bins=_bins(confidence, right, prompts, seed),
        error=_error(confidence, right, prompts, seed),
        brier=bootstrap(share(0, 1), squared, prompts, seed=seed),
        log_loss=float(np.logaddexp(0.0, -scaled).mean()) if len(scaled) else None,
        temperature=float(temperatures) if isinstance(temperatures, (int, float)) else None,
        num_ties=int((~decided).sum()),
    )


def fitted_reliability(margins: ArrayLike, contexts: Prompts, *, seed: int) -> Reliability | None:
    """Return the reliability under a temperature: each half of the prompts is judged by the fit on the other half.

    Returns:
        None with fewer than `FEWEST` decisions, or margins that are all 0: nothing can be fitted.
    """
    every = np.asarray(margins, dtype=np.float64)
    half = np.array([unit_interval(f"temperature:{prompt}", seed) < 0.5 for prompt in contexts], dtype=bool)
    sides = [every[half & (every != 0)], every[~half & (every != 0)]]
    if min(len(side) for side in sides) < FEWEST // 2:
        return None
    fits = [_temperature(side) for side in sides]
    found = reliability(every, contexts, seed=seed, temperatures=np.where(half, fits[1], fits[0]))
    return Reliability(
        bins=found.bins, error=found.error, brier=found.brier, log_loss=found.log_loss, num_ties=found.num_ties,
        temperature=_temperature(every[every != 0]),
    )  # fmt: skip


def _temperature(margins: Floats) -> float:
    from goldsmith.reward.logistic import best_temperature

    # The search has bounds; scaled margins keep the optimum away from them whatever the scale of the scores.
    scale = float(np.sqrt(np.mean(margins**2)))
    return scale * best_temperature(margins / scale, np.ones(len(margins)))


def _places(confidence: Floats) -> NDArray[np.int64]:
    """Return the bin of each confidence, as `expected_calibration_error` has them with 2 * BINS bins over [0, 1]."""
    return np.minimum((confidence * 2 * BINS).astype(np.int64) - BINS, BINS - 1)


def _bins(confidence: Floats, right: Any, contexts: Any, seed: int) -> list[Bin]:
    places = _places(confidence)
    return [
        Bin(
            low=0.5 + 0.5 * number / BINS,
            high=0.5 + 0.5 * (number + 1) / BINS,
            confidence=float(confidence[places == number].mean()),
            right=accuracy(right[places == number], contexts[places == number], seed=seed),
        )
        for number in sorted(set(places.tolist()))
    ]


def _error(confidence: Floats, right: Any, contexts: Any, seed: int) -> Estimate:
    """Expected calibration error with its interval: per-bin gaps are sums, so prompts can be resampled."""
    gaps = np.zeros((len(confidence), BINS + 1))
    gaps[np.arange(len(confidence)), _places(confidence)] = confidence - right
    gaps[:, BINS] = 1.0
    return bootstrap(lambda s: np.abs(s[..., :BINS]).sum(axis=-1) / s[..., BINS], gaps, contexts, seed=seed)
