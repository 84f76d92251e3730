"""The split of gold, once, at entry, by the context alone: 60 % train, 20 % validation, 20 % audit."""

from __future__ import annotations

from typing import Literal

from goldsmith.identity import unit_interval

Split = Literal["train", "validation", "audit"]
SPLIT_SEED = 0
"""Fixed for ever: a pair must not change sides because a run uses another seed."""


def split_of(context_id: str) -> Split:
    """Return the part of gold that every pair of this context belongs to."""
    place = unit_interval(f"gold-split:{context_id}", SPLIT_SEED)
    if place < 0.6:
        return "train"
    return "validation" if place < 0.8 else "audit"
