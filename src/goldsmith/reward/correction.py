"""A head that learnt what many doubtful labels say, corrected on the few that people gave.

Thousands of labels by judges share the judges' taste; a few hundred right ones among them cannot undo it, whatever their weight: counted
often, they are learnt by heart. So the head of the doubtful labels is what is expected, and people's labels say where it is wrong: a
Bayesian logistic model of people's choices with margin = a m + b . (f_first - f_second), where m is that head's margin, of unit spread
over gold and out of fold, a is near 1 and b near 0. What came of it, and what else was tried: design/curation.md.

Shapes: G gold pairs, W features.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from goldsmith.errors import UserError
from goldsmith.reward.logistic import fit_logistic, principal_basis

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FEWEST_GOLD = 20
"""Gold pairs below which nothing is corrected."""
SCALE_SPREAD = 0.35
"""Standard deviation of a around 1."""
SPREAD = 0.7
"""Standard deviation of b in each direction, where a typical pair's difference of features has a length of about 1. Real pairs are about as
well served by 0.5 to 1 (design/curation.md)."""


def corrected(
    weight_W: Floats,
    margin_G: Floats,
    differences_GW: Floats,
    is_first_G: NDArray[np.bool_],
    scale_W: Floats,
    worth_G: Floats | None = None,
) -> Floats:
    """Return the corrected head, float64 [W], on features as they come; its margins are log-odds of people's choices.

    Args:
        weight_W: the head to correct, on features as they come.
        margin_G: of `first` over `second` on gold, by heads like it that saw nothing of the pair's context.
        differences_GW: features of `first` minus those of `second` on gold.
        is_first_G: what people prefer.
        scale_W: by which features are divided (`head.feature_scale`).
        worth_G: non-negative, not all 0: as how many pairs each counts; none: one.
    """
    sign_G = np.where(is_first_G, 1.0, -1.0)
    worth_G = np.ones(len(sign_G)) if worth_G is None else worth_G
    spread = float(np.sqrt(np.average(margin_G**2, weights=worth_G)))
    margin_G = sign_G * margin_G / spread if spread else np.zeros(len(sign_G))
    # Both priors are the one of the penalty, on columns of their own scale.
    rows_GR, basis_WR = principal_basis(sign_G[:, None] * differences_GW / scale_W)
    rows = np.concatenate([SCALE_SPREAD * margin_G[:, None], SPREAD * rows_GR], axis=1)
    found = fit_logistic(rows, 1.0 / float(worth_G.sum()), worth_G, offset_N=margin_G)
    silver = (1.0 + SCALE_SPREAD * found[0]) / spread * weight_W if spread else np.zeros(len(weight_W))
    return np.asarray(silver + SPREAD * (basis_WR @ found[1:]) / scale_W, dtype=np.float64)


def require_enough(num_gold: int, other_contexts: int) -> None:
    """Refuse to correct with too little.

    Args:
        num_gold: pairs that people labelled.
        other_contexts: contexts of the other pairs.

    Raises:
        UserError: there are fewer than `FEWEST_GOLD` pairs, or fewer than two contexts.
    """
    if num_gold < FEWEST_GOLD or other_contexts < 2:
        raise UserError(
            f"train.people = correct needs at least {FEWEST_GOLD} pairs that people labelled, and others of two contexts; "
            f"there are {num_gold}, and others of {other_contexts} contexts; set it to pooled"
        )
