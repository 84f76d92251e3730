"""The final reward model."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from goldsmith.config.base import Section


class LoraConfig(Section):
    """Low-rank adapters; merged into a standard checkpoint when training ends."""

    rank: int = Field(default=16, ge=1)
    """Rank of the update."""
    alpha: float = Field(default=32.0, gt=0)
    """Scale of the update, over the rank."""
    last_layers: int | None = Field(default=None, ge=1)
    """Adapt only this many layers at the end; none: all."""


class TrainConfig(Section):
    """Method, schedule and budget of the final model."""

    method: Literal["head", "lora", "full"] = "lora"
    """What is trained: the score head alone, adapters and head, or everything."""
    epochs: int = Field(default=1, ge=1)
    """Passes over the curated pairs."""
    max_pairs: int | None = Field(default=None, ge=1)
    """Train on at most this many pairs, whole contexts, drawn by hash; none: all."""
    batch_size: int = Field(default=32, ge=1)
    """Pairs of one optimizer step, about: contexts are kept whole."""
    learning_rate: float = Field(default=2e-4, gt=0)
    """Peak learning rate."""
    warmup_share: float = Field(default=0.05, ge=0.0, lt=1.0)
    """Share of steps with rising learning rate."""
    schedule: Literal["linear", "constant", "cosine"] = "linear"
    """What the rate does after the warm-up."""
    weight_decay: float = Field(default=0.0, ge=0.0)
    """AdamW's."""
    center_rewards: float = Field(default=0.0, ge=0.0)
    """Weight of the squared sum of a pair's rewards."""
    checkpoint_steps: int = Field(default=20, ge=1)
    """Steps between checkpoints, from which a killed training goes on."""
    lora: LoraConfig = LoraConfig()
    """Used when `method` is `lora`."""
