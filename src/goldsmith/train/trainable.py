"""Whether a base model can be trained as the settings say: asked of its empty shell, before anything is computed."""

from __future__ import annotations

import copy
from typing import Any

from goldsmith.config.train import TrainConfig
from goldsmith.errors import UserError
from goldsmith.reward.backbone import Backbone
from goldsmith.reward.checkpoint import quiet_loading
from goldsmith.reward.classifier import refuse_other_heads

TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""The linear maps of a Llama-like layer; each gets an adapter."""


def check_trainable(backbone: Backbone, config: TrainConfig) -> None:
    """Refuse a base model that would fail in training or could not be read again afterwards.

    Raises:
        UserError: it is no decoder with a classifier of its own, or its layers are not built as the settings need them.
    """
    shell = _shell(backbone)
    refuse_other_heads(backbone.folder, shell, type(shell).__name__)
    layers = getattr(getattr(shell, shell.base_model_prefix), "layers", None)
    needs = {
        "train.method = lora": config.method == "lora",
        "train.gradient_checkpointing": config.method != "head" and config.gradient_checkpointing,
        "train.sharding = fsdp2": config.sharding == "fsdp2",
    }
    asked = [name for name, is_set in needs.items() if is_set]
    # The lower part of a trunk that is split counts its layers' caches anew.
    is_split = config.method == "lora" and config.lora.last_layers is not None
    if asked and (layers is None or (is_split and not all(hasattr(layer, "self_attn") for layer in layers))):
        raise UserError(f"{_told(backbone, shell)} are not built like Llama's, as {asked[0]} needs; {_REMEDY}")
    if layers is not None and config.method == "lora" and not _has_targets(layers):
        raise UserError(
            f"{_told(backbone, shell)} have none of the linear maps that get adapters ({', '.join(TARGETS)}); {_REMEDY}"
        )


def _has_targets(layers: Any) -> bool:
    return any(name.rpartition(".")[2] in TARGETS for name, _ in layers.named_modules())


_REMEDY = "set train.method to head, or to full without gradient checkpointing and fsdp2"


def _told(backbone: Backbone, shell: Any) -> str:
    return f"{backbone.folder}: the layers of {type(shell).__name__}"


def _shell(backbone: Backbone) -> Any:
    """Return the classifier of a base model without its weights."""
    import torch
    import transformers

    config = copy.deepcopy(backbone.config)
    config.num_labels = 1
    try:
        with quiet_loading(), torch.device("meta"):
            return transformers.AutoModelForSequenceClassification.from_config(config, trust_remote_code=False)
    except (ValueError, KeyError, AssertionError) as error:
        raise UserError(
            f"{backbone.folder}: transformers has no sequence classifier for it ({str(error).splitlines()[0]}); use another base model"
        ) from None
