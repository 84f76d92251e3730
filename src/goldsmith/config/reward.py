"""The reward model's backbone and how it reads a conversation."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from goldsmith.config.base import Section


class RewardConfig(Section):
    """Backbone, length, precision, read-out."""

    base: str = "embedded"
    """`embedded` (SmolLM2-135M-Instruct), a folder, or a hub id."""
    max_length: int | None = Field(default=None, ge=16)
    """Tokens of a rendered conversation at most; none: the smaller of 16,384 and the model's own maximum."""
    truncation_side: Literal["left", "right"] = "left"
    """Which end of the context is cut when a conversation is too long; counted and reported."""
    pad_token: str | None = None
    """Token of the vocabulary that pads batches and that the chat template never emits; none: the tokenizer's own."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """`auto`: bfloat16 where the processor multiplies it natively, else float32."""
    readout: Literal["last", "layers"] = "layers"
    """What a round's head reads: the last layer at the last token, or several layers and the reply's mean."""
    token_budget: int = Field(default=4096, ge=64)
    """Tokens of one forward pass."""
    feature_cache: Path | None = None
    """Folder of cached trunk features; none: `cache/features` of the workspace."""


class HeadConfig(Section):
    """A linear head on cached features, fitted in seconds; used in the rounds."""

    l2: list[float] = Field(default_factory=lambda: [1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0], min_length=1)
    """Penalties tried; cross-validated on the training pairs, grouped by context."""

    @field_validator("l2")
    @classmethod
    def _above_zero(cls, penalties: list[float]) -> list[float]:
        if not all(penalty > 0 for penalty in penalties):
            raise ValueError("each must be above 0, for example [0.001, 0.1]")
        return penalties
