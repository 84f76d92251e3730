"""What the final models are measured on."""

from __future__ import annotations

from pydantic import Field

from goldsmith.config.base import Section


class EvalSetConfig(Section):
    """One set of labelled pairs, in any format `pool add` reads."""

    name: str
    """How the set is called in the report."""
    path: str
    """File or hub id; `$GOLDSMITH_DATA` stands for the evaluation data's folder."""
    limit: int | None = Field(None, ge=1)
    """At most this many pairs, whole contexts, drawn by hash."""


class EvaluateConfig(Section):
    """Held-out sets and the raw-trained rival."""

    sets: list[EvalSetConfig] = []
    """Their contexts leave the pool, and never enter training."""
    holdout_contexts: int = Field(0, ge=0)
    """This many contexts of the pool, drawn by hash before any noise is added, become the set `held-out`."""
    compare_raw: bool = True
    """Also train on the raw pool, same size and recipe, and report the paired difference."""
    bootstrap: int = Field(2000, ge=100)
    """Resamples of the intervals, clustered by prompt."""
