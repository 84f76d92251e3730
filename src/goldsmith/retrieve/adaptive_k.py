"""How many neighbours a gold pair retrieves, from how sure the reward model is of its label (spec 4.2)."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Literal

Rule = Literal["article", "paper"]


def adaptive_k(p: float, rule: Rule = "article", k_max: int = 8) -> int:
    """Return the number of pool pairs to retrieve for a gold pair.

    `article`: k_max if p < 0.5, else int(k_max (1 - p)). `paper`: k_max if p <= 0.5, else ceil(k_max (1 - p)).

    Args:
        p: probability that the reward model gives to the human label, in [0, 1].
        rule: which source's formula.
        k_max: the 8 of both formulae, at least 1.

    Returns:
        A count in [0, k_max].

    Raises:
        ValueError: p is not in [0, 1], or the rule is unknown.
    """
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"p = {p!r} is no probability; the k rule needs a finite margin's sigmoid")
    # In binary 10 * (1 - 0.9) is 0.9999999999999998: the shortest decimal that names p keeps floor and ceil on the right side.
    exact = k_max * (1 - Decimal(repr(float(p))))
    if rule == "article":
        return k_max if p < 0.5 else int(exact)
    if rule == "paper":
        return k_max if p <= 0.5 else math.ceil(exact)
    raise ValueError(f"unknown k rule {rule!r}; known: article, paper")
