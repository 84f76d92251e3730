"""Bootstrap of whole prompts for any figure that is a function of sums: differences, ratios, curves, kappa.

Each prompt's pairs are added up once; a resample is a sum over prompts drawn with replacement, so the cost of one does not
depend on the number of pairs. Shapes: N observations, F features, C prompts, R resamples. NumPy only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from goldsmith.evaluate.statistics import Estimate

Floats = NDArray[np.float64]
Prompts = Sequence[Any] | NDArray[Any]
"""The prompt's id of each observation; numbers or texts, shape [N]."""
_CELLS_AT_ONCE = 2_000_000
"""Drawn prompts held in memory at once (16 bytes each)."""


def totals_by_prompt(features: ArrayLike, contexts: Prompts) -> Floats:
    """Return the sum of each feature over the observations of each prompt.

    Args:
        features: shape [N, F].
        contexts: the prompt's id of each observation, shape [N].

    Returns:
        Shape [C, F], prompts in the order of their ids.

    Raises:
        ValueError: the numbers of rows and of prompts differ.
    """
    rows_NF = np.atleast_2d(np.asarray(features, dtype=np.float64))
    if len(rows_NF) != len(contexts):
        raise ValueError(f"{len(rows_NF)} rows but {len(contexts)} prompts; give one prompt id for each row")
    names, index = np.unique(np.asarray(contexts), return_inverse=True)
    totals = np.zeros((len(names), rows_NF.shape[1]))
    np.add.at(totals, index, rows_NF)
    return totals


def resampled_totals(totals_CF: Floats, *, seed: int, resamples: int = 2000) -> Floats:
    """Return the sums over C prompts drawn with replacement, shape [R, F]; memory is bounded."""
    generator, count = np.random.default_rng(seed), len(totals_CF)
    rows = max(1, min(resamples, _CELLS_AT_ONCE // max(1, count)))
    result = np.empty((resamples, totals_CF.shape[1]))
    for start in range(0, resamples, rows):
        num = min(rows, resamples - start)
        drawn = generator.integers(0, count, size=(num, count)) + count * np.arange(num)[:, None]
        times_RC = np.bincount(drawn.ravel(), minlength=num * count).reshape(num, count)
        result[start : start + num] = times_RC @ totals_CF
    return result


def interval(draws: ArrayLike) -> tuple[float, float] | None:
    """Return the 2.5 and 97.5 % quantiles of the finite draws; None when fewer than nine in ten are finite."""
    values = np.asarray(draws, dtype=np.float64)
    finite = values[np.isfinite(values)]
    if len(values) == 0 or len(finite) < 0.9 * len(values):
        return None
    low, high = np.quantile(finite, [0.025, 0.975])
    return float(low), float(high)


Figure = Callable[[Floats], Floats]
"""From sums of the features, shape [..., F], to a figure, shape [...]; NaN where it is not defined."""


def bootstrap(figure: Figure, features: ArrayLike, contexts: Prompts, *, seed: int, resamples: int = 2000) -> Estimate:
    """Return one figure with its 95 % percentile interval; see `bootstrap_all`."""
    return bootstrap_all({"": figure}, features, contexts, seed=seed, resamples=resamples)[""]


def bootstrap_all(
    figures: Mapping[str, Figure], features: ArrayLike, contexts: Prompts, *, seed: int, resamples: int = 2000
) -> dict[str, Estimate]:  # fmt: skip
    """Return figures of the same observations with their 95 % percentile intervals, prompts resampled whole and once for all.

    Args:
        figures: by name.
        features: shape [N, F].
        contexts: the prompt's id of each row, shape [N].
        seed: seed of the resampling.
        resamples: bootstrap samples.

    Returns:
        No rows, or a figure that is not defined: value None with the reason. One prompt: no interval.
    """
    if len(contexts) == 0:
        return dict.fromkeys(figures, Estimate(reason="no pairs"))
    totals = totals_by_prompt(features, contexts)
    drawn = resampled_totals(totals, seed=seed, resamples=resamples) if len(totals) > 1 else None
    made = partial(Estimate, num_pairs=len(contexts), num_contexts=len(totals))
    return {name: _estimate(figure, totals.sum(axis=0), drawn, made) for name, figure in figures.items()}


def share(top: int, bottom: int) -> Figure:
    """Return the figure that divides one feature's sum by another's."""
    return lambda sums: sums[..., top] / sums[..., bottom]


def _estimate(figure: Figure, whole: Floats, drawn: Floats | None, made: Callable[..., Estimate]) -> Estimate:
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(figure(whole))
        if not np.isfinite(value):
            return made(reason="nothing to compare")
        if drawn is None:
            return made(value=value, reason="one prompt only: no interval")
        found = interval(figure(drawn))
    if found is None:
        return made(value=value, reason="too few prompts for an interval")
    return made(value=value, low=found[0], high=found[1], method="cluster-bootstrap")
