"""Stage 1: seed and rounds."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from goldsmith.config.base import Section


class SeedConfig(Section):
    """The first selection, by quotas over task, objectivity and controversiality."""

    size: int = Field(default=500, ge=1)
    """Pairs selected."""


class RoundsConfig(Section):
    """The loop of stage 1."""

    count: int = Field(default=2, ge=1)
    """Rounds; the paper ran 8."""
    k_rule: Literal["article", "paper"] = "article"
    """How many neighbours a gold pair retrieves (spec 4.2)."""
    k_max: int = Field(default=8, ge=1)
    """The 8 of both rules."""
