"""A base model without its head: the trunk, how conversations are rendered for it, and its name by content."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goldsmith.config.reward import RewardConfig
from goldsmith.reward.checkpoint import (
    checkpoint_digest,
    choose_device,
    choose_dtype,
    load_tokenizer,
    load_weights,
    locate,
    max_positions,
    read_config,
)
from goldsmith.reward.classifier import refuse_quantised, refuse_remote_code
from goldsmith.reward.render import Renderer
from goldsmith.reward.sharing import check_positions, say_once, why_not_packed
from goldsmith.reward.trunk import supports_packing


@dataclass(frozen=True, slots=True, kw_only=True)
class Backbone:
    """A decoder without head in evaluation mode.

    Attributes:
        trunk: the transformers model (`LlamaModel` and its like).
        renderer: of its tokenizer.
        folder: where the checkpoint is.
        digest: its content digest.
    """

    trunk: Any
    renderer: Renderer
    folder: Path
    digest: str

    @property
    def packs(self) -> bool:
        """Packed rows and shared prefixes are known to be exact on this model."""
        return supports_packing(self.trunk.config)


def load_backbone(config: RewardConfig) -> Backbone:
    """Return the base model of a configuration.

    Raises:
        UserError: it is missing, broken, quantised or needs code of its own, has no chat template or usable pad token, or `max_length`
            is above its maximum.
    """
    from transformers import AutoModel

    folder = locate(config.base)
    description = read_config(folder)
    refuse_quantised(folder, description)
    refuse_remote_code(folder, description)
    device = choose_device()
    trunk = load_weights(AutoModel, folder, choose_dtype(config.dtype, device), trust_remote_code=False)
    renderer = make_renderer(folder, trunk.config, config)
    check_positions(trunk.config, renderer.max_length, config.base)
    reason = why_not_packed(trunk.config)
    if reason is not None:
        say_once(reason)
    return Backbone(trunk=trunk.to(device).eval(), renderer=renderer, folder=folder, digest=checkpoint_digest(folder))


def make_renderer(folder: Path, model_config: Any, config: RewardConfig) -> Renderer:
    """Return the renderer of a checkpoint under a configuration."""
    return Renderer(
        load_tokenizer(folder, config.pad_token),
        model_max_length=max_positions(model_config),
        max_length=config.max_length,
        truncation_side=config.truncation_side,
        name=config.base,
    )
