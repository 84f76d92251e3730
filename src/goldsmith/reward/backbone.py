"""A base model without its head: the trunk, how conversations are rendered for it, and its name by content."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from goldsmith.config.reward import RewardConfig
from goldsmith.errors import UserError
from goldsmith.reward.checkpoint import (
    Dtype,
    checkpoint_digest,
    choose_device,
    choose_dtype,
    load_tokenizer,
    load_weights,
    locate,
    max_positions,
    read_config,
    unloadable,
)
from goldsmith.reward.classifier import refuse_quantised
from goldsmith.reward.remote_code import trusts_code
from goldsmith.reward.render import Renderer
from goldsmith.reward.sharing import check_positions, say_once, why_not_packed
from goldsmith.reward.trunk import supports_packing


@dataclass(frozen=True, kw_only=True)
class Backbone:
    """A decoder without head in evaluation mode; its weights are read when they are first used.

    Attributes:
        config: the model's own.
        dtype: of the weights.
        renderer: of its tokenizer.
        folder: where the checkpoint is.
        digest: its content digest.
    """

    config: Any
    dtype: Dtype
    renderer: Renderer
    folder: Path
    digest: str

    @property
    def packs(self) -> bool:
        """Packed rows and shared prefixes are known to be exact on this model."""
        return supports_packing(self.config)

    @cached_property
    def trunk(self) -> Any:
        """The transformers model (`LlamaModel` and its like).

        Raises:
            UserError: weights are missing, broken or of another shape.
        """
        from transformers import AutoModel

        device = choose_device()
        trunk = load_weights(AutoModel, self.folder, choose_dtype(self.dtype, device), trust_remote_code=False)
        return trunk.to(device).eval()

    def release(self) -> None:
        """Let go of the weights; they are read again when they are used again."""
        self.__dict__.pop("trunk", None)


def load_backbone(config: RewardConfig) -> Backbone:
    """Return the base model of a configuration.

    Raises:
        UserError: it is missing, quantised, of a kind that is not known or needs code of its own, has no chat template or usable pad
            token, or `max_length` is above its maximum.
    """
    from transformers import AutoConfig

    folder = locate(config.base)
    description = read_config(folder)
    refuse_quantised(folder, description)
    trusts_code(folder, description)
    try:
        model_config = AutoConfig.from_pretrained(str(folder), trust_remote_code=False)
    except unloadable() as error:
        raise UserError(f"{folder}: config.json cannot be read ({error}); fetch the model again") from None
    renderer = make_renderer(folder, model_config, config)
    check_positions(model_config, renderer.max_length, config.base)
    reason = why_not_packed(model_config)
    if reason is not None:
        say_once(reason)
    return Backbone(
        config=model_config,
        dtype=config.dtype,
        renderer=renderer,
        folder=folder,
        digest=checkpoint_digest(folder),
    )


def make_renderer(folder: Path, model_config: Any, config: RewardConfig) -> Renderer:
    """Return the renderer of a checkpoint under a configuration."""
    return Renderer(
        load_tokenizer(folder, config.pad_token),
        model_max_length=max_positions(model_config),
        max_length=config.max_length,
        truncation_side=config.truncation_side,
        name=config.base,
    )
