"""What the final models are measured on."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from goldsmith.config.base import Section


class EvalSetConfig(Section):
    """One set of labelled pairs, in any format `pool add` reads."""

    name: str
    """How the set is called in the report."""
    path: str
    """File or hub id; `$GOLDSMITH_DATA` stands for the evaluation data's folder."""
    limit: int | None = Field(default=None, ge=1)
    """At most this many pairs, whole contexts, drawn by hash."""


class EvaluateConfig(Section):
    """Held-out sets and the raw-trained rival."""

    sets: list[EvalSetConfig] = Field(default_factory=list)
    """Their contexts leave the pool, and never enter training."""
    holdout_contexts: int = Field(default=0, ge=0)
    """This many contexts of the pool, drawn by hash before any noise is added, become the set `held-out`."""
    holdout_pairs: int = Field(default=600, ge=1)
    """Pairs of those contexts that are scored at most."""
    compare_raw: Literal["none", "head", "same"] = "head"
    """Rival trained on the raw pool by the same recipe: none, by the head method (with a curated twin), or by the final method too."""
    bootstrap: int = Field(default=2000, ge=100)
    """Resamples of the intervals, clustered by prompt."""
