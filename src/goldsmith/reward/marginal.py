"""A linear head taught by evidence: what noisy sources say is a likelihood of the truth, and not the truth's probability.

Evidence p on a pair is P(what was said | first) / (P(what was said | first) + P(what was said | second)): the truth's probability for
somebody who knows nothing else. A model that learns p as a soft label is told that pairs are near even odds where sources are weak, the
more so the less they are worth on just these pairs. Here its loss is -log(p s(m) + (1 - p) s(-m)) with m its margin: up to a constant, the
log-likelihood of what was said with the truth summed out. (For classes with one transition matrix this is the "forward" loss of Patrini
and others 2017.) Evidence of 1 gives the Bradley-Terry loss, evidence of 0.5 teaches nothing.

Shapes: N pairs, W features, R components, K heads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from goldsmith.reward.logistic import principal_basis
from goldsmith.reward.soft import SoftFits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

PRECISION = 2.0
"""Of the head's normal prior, on features scaled to differences of length 1: margins have a standard deviation of 0.7 under it. Chosen by
how well held-out heads predict the sources it would be too small: sources err alike where features are alike (design/curation.md)."""
COMPONENTS = 256
"""Principal components of the features at most: what is beyond them is noise to a head of some thousand pairs."""


def fit_marginal(differences_NW: Floats, p_first_N: Floats, weight_NK: Floats) -> Floats:
    """Return heads [W, K] on differences of features of about length 1.

    Args:
        differences_NW: features of `first` minus those of `second`.
        p_first_N: evidence that `first` is better, in [0, 1].
        weight_NK: non-negative weights of the pairs for each head, a pair of weight 1 counting as one; a column of zeros gives zeros.
    """
    rows_NR, basis_WR = principal_basis(differences_NW, COMPONENTS)
    l2_K = PRECISION / np.maximum(weight_NK.sum(0), 1e-12)
    beta_RK = SoftFits(rows_NR).fit(p_first_N[:, None], weight_NK, l2_K, is_evidence=True)
    return np.asarray(basis_WR @ beta_RK, dtype=np.float64)
