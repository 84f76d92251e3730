"""Which pool pairs get labels next, when not the errors on gold decide: the model's doubt, its committee's disagreement, or chance.

These are the rivals of the article's error-driven retrieval (`goldsmith.retrieve.rank`), for the same number of labels.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from goldsmith.curate.evidence import from_margins
from goldsmith.identity import unit_interval
from goldsmith.retrieve.rank import Retrieved, allowed_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Mode = Literal["uncertainty", "disagreement", "random"]
COMMITTEE = 8
"""Heads on resampled prompts that make a committee."""


def ask(
    mode: Mode,
    pool_ids: Sequence[str],
    pool_contexts: Sequence[str],
    count: int,
    seed: int,
    *,
    margins: NDArray[np.float64] | None = None,
    excluded_contexts: Collection[str] = (),
    excluded_pairs: Collection[str] = (),
) -> list[Retrieved]:
    """Return the `count` most urgent pool pairs, most urgent first, ties by pair id; at most one of a context, while others are left.

    Args:
        mode: `uncertainty`: priority 1 - |2p - 1|; `disagreement`: standard deviation of p over the committee; `random`: a draw by hash.
        pool_ids: N pair ids.
        pool_contexts: their context ids.
        count: pairs asked for.
        seed: of the draw.
        margins: of `first` over `second`, logits: [N] for `uncertainty`, [K, N] of the committee for `disagreement`.
        excluded_contexts: never returned, as for `retrieve`.
        excluded_pairs: likewise.
    """
    allowed = np.flatnonzero(allowed_rows(pool_ids, pool_contexts, excluded_contexts, excluded_pairs)).tolist()
    urgency = _urgency(mode, pool_ids, seed, margins)
    ranked = sorted(allowed, key=lambda at: (-urgency[at], pool_ids[at]))
    turns: dict[str, int] = {}
    order = []
    for place, at in enumerate(ranked):
        turn = turns[pool_contexts[at]] = turns.get(pool_contexts[at], -1) + 1
        order.append((turn, place, at))
    return [Retrieved(pair_id=pool_ids[at], priority=float(urgency[at]), gold_ids=[]) for _, _, at in sorted(order)[:count]]


def _urgency(mode: Mode, pool_ids: Sequence[str], seed: int, margins: Floats | None) -> Floats:
    if mode == "random":
        return np.array([unit_interval(f"ask:{name}", seed) for name in pool_ids], dtype=np.float64)
    if margins is None:
        raise ValueError(f"retrieval by {mode} needs margins")
    p = from_margins(margins)
    if mode == "uncertainty":
        return np.asarray(1.0 - np.abs(2.0 * p - 1.0), dtype=np.float64)
    return np.asarray(p.std(axis=0, ddof=1), dtype=np.float64)
