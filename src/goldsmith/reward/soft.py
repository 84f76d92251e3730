"""Many ridge-logistic fits on one set of pairs at once: other labels, weights and penalties for each, at the cost of a few matrix products.

In a principal basis the rows' second moments are diagonal, and a quarter of them bounds the curvature of every one of the fits (Böhning and
Lindsay 1988); so each step divides a gradient by a diagonal and needs no matrix of its own. Steps are accelerated and start again where
they overshoot. Shapes: N pairs, R components, K fits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

STEPS = 400
"""Steps at most."""
TOLERANCE = 2e-4
"""Change of the largest margin at which a fit ends, in logits."""


class SoftFits:
    """Rows in a principal basis, on which any number of fits can be made.

    Attributes:
        rows_NR: coordinates of first minus second, whose second moments are diagonal (`logistic.principal_basis`).
        moment_R: sums of their squares.
    """

    def __init__(self, rows_NR: Floats) -> None:
        self.rows_NR = np.ascontiguousarray(rows_NR, dtype=np.float64)
        self.moment_R = (self.rows_NR**2).sum(0)

    def step(self, beta_RK: Floats, push_NK: Floats, weight_NK: Floats, l2_K: Floats) -> Floats:
        """Return the change of beta by one bounded Newton step.

        Args:
            beta_RK: where the step begins.
            push_NK: wanted minus given probability of `first`.
            weight_NK: non-negative pair weights.
            l2_K: penalties on mean losses.
        """
        total_K = np.maximum(weight_NK.sum(0), 1e-12)
        heaviest_K = weight_NK.max(0)
        gradient_RK = self.rows_NR.T @ (weight_NK * push_NK) / total_K - l2_K * beta_RK
        bound_RK = 0.25 * self.moment_R[:, None] * (heaviest_K / total_K) + l2_K
        return np.asarray(gradient_RK / bound_RK, dtype=np.float64)

    def fit(
        self,
        p_first_NK: Floats,
        weight_NK: Floats,
        l2_K: Floats,
        start_RK: Floats | None = None,
        *,
        steps: int = STEPS,
        is_evidence: bool = False,
    ) -> Floats:
        """Return beta [R, K] of the least mean(weight * loss(p_first, sigmoid(rows beta))) + l2/2 |beta|^2.

        The loss of p and q is the cross-entropy, -p log q - (1 - p) log(1 - q); of evidence it is -log(p q + (1 - p)(1 - q)), which is
        not convex: the solution that zeros lead to is returned.

        Args:
            p_first_NK: labels in [0, 1], soft or hard; [N, 1] for the same labels everywhere.
            weight_NK: non-negative; a column of zeros gives zeros.
            l2_K: penalties.
            start_RK: where to begin; none: zeros.
            steps: at most.
            is_evidence: what `p_first` says is evidence on the truth and not its probability.
        """
        num = len(l2_K)
        beta = np.zeros((self.rows_NR.shape[1], num)) if start_RK is None else start_RK.copy()
        ahead, momentum = beta.copy(), np.ones(num)
        margin = self.rows_NR @ ahead
        with np.errstate(divide="ignore"):
            odds_NK = np.log(p_first_NK) - np.log1p(-p_first_NK) if is_evidence else None
        for _ in range(steps):
            # Of evidence, the step is that of the belief it leads to: expectation and maximisation in one, under the same bound.
            wanted = p_first_NK if odds_NK is None else sigmoid(odds_NK + margin)
            moved = ahead + self.step(ahead, wanted - sigmoid(margin), weight_NK, l2_K)
            # Where the step now points back, the speed gained so far is lost (O'Donoghue and Candès 2015).
            is_over = ((ahead - moved) * (moved - beta)).sum(0) > 0
            following = np.where(is_over, 1.0, 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * momentum**2)))
            speed = np.where(is_over, 0.0, (momentum - 1.0) / following)
            ahead, beta, momentum = moved + speed * (moved - beta), moved, following
            before, margin = margin, self.rows_NR @ ahead
            if np.abs(margin - before).max() < TOLERANCE:
                break
        return beta


def sigmoid(values: Floats) -> Floats:
    """Return 1 / (1 + exp(-values)) without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * values)), dtype=np.float64)
