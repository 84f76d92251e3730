"""Stage 2: what is kept, relabelled, flipped or dropped."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

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
    keep_precision: float | None = Field(default=None, ge=0.5, lt=1.0)
    """`joint` only: keep the largest set of the surest labels whose mean probability of being right is this, instead of all above `sure_above`."""
    flip_precision: float | None = Field(default=None, ge=0.5, lt=1.0)
    """`joint` only: the same of what is flipped."""
    folds: int = Field(default=5, ge=2)
    """Folds, by context, for scores of pairs a model was trained on."""

    @model_validator(mode="after")
    def _promises_need_joint(self) -> CurateConfig:
        promised = [name for name in ("keep_precision", "flip_precision") if getattr(self, name) is not None]
        if promised and self.keep_rule != "joint":
            raise ValueError(
                f'{promised[0]} needs keep_rule = "joint", not "{self.keep_rule}"; sure_above is the bar of the other rules'
            )
        return self
