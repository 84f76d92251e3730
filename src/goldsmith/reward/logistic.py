"""Logistic regression without bias on differences: Newton's method in the span of the data, float64.

Shapes: N pairs, W features, R components.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MAX_COMPONENTS = 512
"""Principal components kept: all there are for small sets; the cap bounds the cost of a Newton step on large ones."""


def principal_basis(differences_NW: Floats, most: int = MAX_COMPONENTS) -> tuple[Floats, Floats]:
    """Return coordinates [N, R] of the rows in an orthonormal basis [W, R] of their span, largest spread first.

    A ridge solution lies in the span of its rows, so nothing is lost unless `most` cuts; labels play no part.
    The basis is not centred, as a swapped pair must be the mirror image.
    """
    count, width = differences_NW.shape
    wide = width > count
    gram = differences_NW @ differences_NW.T if wide else differences_NW.T @ differences_NW
    values, vectors = np.linalg.eigh(gram)
    keep = np.argsort(values)[::-1][:most]
    keep = keep[values[keep] > 1e-10 * max(float(values.max()), 1e-300)]
    basis = differences_NW.T @ vectors[:, keep] / np.sqrt(values[keep]) if wide else vectors[:, keep]
    return differences_NW @ basis, basis


def fit_logistic(
    rows_NR: Floats,
    l2: float,
    weight_N: Floats,
    *,
    start: Floats | None = None,
    steps: int = 50,
    offset_N: Floats | float = 0.0,
) -> Floats:
    """Return beta [R] that minimises mean(weight * log(1 + exp(-offset - rows beta))) + l2/2 |beta|^2, by damped Newton steps.

    Args:
        rows_NR: chosen minus rejected.
        l2: penalty.
        weight_N: non-negative; all zero gives a beta of zeros.
        start: where to begin, the solution of a larger penalty for instance; none: zeros.
        steps: Newton steps at most.
        offset_N: margins that are there already.
    """
    width = rows_NR.shape[1]
    beta = np.zeros(width) if start is None else start
    if weight_N.sum() <= 0:
        return np.zeros(width)
    share_N = weight_N / weight_N.sum()

    def objective(at: Floats) -> float:
        return log_loss(rows_NR @ at + offset_N, weight_N) + 0.5 * l2 * float(at @ at)

    value = objective(beta)
    for _ in range(steps):
        miss_N = _sigmoid(-(rows_NR @ beta) - offset_N)
        gradient = l2 * beta - rows_NR.T @ (share_N * miss_N)
        curvature_N = share_N * miss_N * (1.0 - miss_N)
        hessian = (rows_NR.T * curvature_N) @ rows_NR
        hessian.flat[:: width + 1] += l2
        step = np.linalg.solve(hessian, gradient)
        decrease = float(gradient @ step)
        if decrease < 1e-12:
            break
        beta, value = _line_search(objective, beta, step, decrease, value)
    return beta


def _line_search(
    objective: Callable[[Floats], float], beta: Floats, step: Floats, decrease: float, value: float
) -> tuple[Floats, float]:
    size = 1.0
    while size > 1e-8:
        there = beta - size * step
        reached = objective(there)
        if reached <= value - 1e-4 * size * decrease:
            return there, reached
        size /= 2.0
    return beta, value


def best_temperature(margin_N: Floats, weight_N: Floats) -> float:
    """Return T, between 1/20 and 20, that gives `margin / T` the best likelihood (20 when the margins predict nothing).

    One pair in N + 2 is taken to be wrong whatever the margins say (Laplace's rule): a small set that happens to be predicted without
    an error does not prove certainty.
    """
    wrong = 1.0 / (len(margin_N) + 2.0)

    def loss(log_temperature: float) -> float:
        scaled_N = margin_N / np.exp(log_temperature)
        return (1.0 - wrong) * log_loss(scaled_N, weight_N) + wrong * log_loss(-scaled_N, weight_N)

    low, high = float(np.log(0.05)), float(np.log(20.0))
    # The loss is convex in 1/T, so unimodal in log T: golden-section search.
    ratio = (5.0**0.5 - 1.0) / 2.0
    for _ in range(60):
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        if loss(left) < loss(right):
            high = right
        else:
            low = left
    return float(np.exp((low + high) / 2.0))


def log_loss(margin_N: Floats, weight_N: Floats) -> float:
    """Return the weighted mean of log(1 + exp(-margin)), nats."""
    return float(np.average(np.logaddexp(0.0, -margin_N), weights=weight_N))


def _sigmoid(values: Floats) -> Floats:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * values)), dtype=np.float64)
