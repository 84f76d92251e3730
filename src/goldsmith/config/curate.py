"""Stage 2: what is kept, relabelled, flipped or dropped."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from goldsmith.config.base import Section


class CurateConfig(Section):
    """The rules of spec 5."""

    keep_rule: Literal["article", "paper", "stack", "joint"] = "article"
    """`article`: the label agrees with the gold RM; `paper`: with the gold RM and (LLM judgement or best RM); `stack`: it is likely right by the label, the judges and both RMs together, calibrated on gold; `joint`: the same question, answered by one model of the truth and of everybody's errors that is fitted to the whole pool."""
    recycle: Literal["all", "consistent", "none"] = "all"
    """Which discarded pairs come back reversed: all, those where the gold RM and another judge agree on the flip, or none. Under `stack` and `joint` the first two mean the same: what is likely wrong."""
    confident_above: float = Field(default=0.5, ge=0.0, lt=1.0)
    """The best RM's p on the original label above which no LLM is asked."""
    sure_above: float = Field(default=0.6, ge=0.5, lt=1.0)
    """`stack` and `joint` only: the probability a side must exceed to be kept, or flipped to; pairs between are dropped."""
    folds: int = Field(default=5, ge=2)
    """Folds, by context, for scores of pairs a model was trained on."""
