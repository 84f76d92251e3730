"""Stage 1: seed and rounds."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from goldsmith.config.base import Section


class SeedConfig(Section):
    """The first selection, by quotas over task, objectivity and controversiality."""

    size: int = Field(default=500, ge=1)
    """Pairs selected."""
    order: Literal["diverse", "hash"] = "hash"
    """Within a quota cell: `diverse` takes the pair least like those chosen so far (by embedding), `hash` draws at random."""
    near_copies_above: float = Field(default=1.0, gt=0.0, le=1.0)
    """A pair of another prompt whose embedding has a larger cosine with a chosen one is left out; 1: none is, 0.95 is a good start."""


class RoundsConfig(Section):
    """The loop of stage 1."""

    count: int = Field(default=2, ge=1)
    """Rounds; the paper ran 8."""
    retrieval: Literal["error", "uncertainty", "disagreement", "random"] = "error"
    """What decides which pool pairs get labels: likeness to what the model gets wrong on gold (the article's), its own doubt, the disagreement of heads on resampled prompts, or chance."""
    k_rule: Literal["article", "paper"] = "article"
    """How many neighbours a gold pair retrieves (spec 4.2)."""
    k_max: int = Field(default=8, ge=1)
    """The 8 of both rules."""
