"""The trunk of a reward model, a decoder without head: its hidden states for a batch, and its lower and upper part.

Shapes: [B, L] tokens of a batch, R replies, D hidden.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from goldsmith.reward.packing import Batch

PACKABLE = frozenset({"llama", "mistral", "qwen2", "qwen3", "smollm3"})
"""Model types whose every layer is plain causal attention, called through transformers' attention interface: packing is tested on them
or equal by construction."""


def supports_packing(config: Any) -> bool:
    """Whether packed rows and shared prefixes are known to be exact on a model with this configuration.

    Layers with a sliding window are not: their window counts places in the row.
    """
    text = config.get_text_config()
    kinds = set(getattr(text, "layer_types", None) or ["full_attention"])
    has_window = bool(getattr(text, "sliding_window", None)) and getattr(text, "use_sliding_window", True)
    return text.model_type in PACKABLE and kinds == {"full_attention"} and not has_window


def run_trunk(trunk: Any, batch: Batch, inputs_BLD: torch.Tensor | None = None, **options: Any) -> Any:
    """Return the trunk's output on a batch; its `last_hidden_state` is [B, L, D]. Differentiable.

    Args:
        trunk: a decoder without head (`LlamaModel` and its like), or a part of one made by `split_trunk`.
        batch: what to compute; packed only when `supports_packing`.
        inputs_BLD: hidden states to begin with instead of embeddings, for the upper part of a split trunk.
        options: passed on to the trunk, for example `output_hidden_states=True`.
    """
    inputs = {"input_ids": batch.ids_BL} if inputs_BLD is None else {"inputs_embeds": inputs_BLD}
    if batch.layout is None:
        return trunk(**inputs, attention_mask=batch.mask_BL, use_cache=False, **options)
    from goldsmith.reward.attention import NAME

    for config in (trunk.config, trunk.layers[0].self_attn.config):
        config._attn_implementation = NAME
    # A mask of four dimensions is passed on as it is, so none is built; the kernel reads the layout instead.
    unused = batch.ids_BL.new_zeros((1, 1, 1, 1))
    return trunk(
        **inputs,
        attention_mask=unused,
        position_ids=batch.positions_BL,
        layout=batch.layout,
        use_cache=False,
        **options,
    )


def last_token(states_BLD: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Return the states at each reply's last token, float32 [R, D]."""
    return states_BLD.flatten(0, 1)[batch.last_R].float()


def split_trunk(trunk: Any, depth: int) -> tuple[Any, Any]:
    """Return a trunk's lower `depth` layers (embeddings, no final norm) and the rest (final norm), sharing its parameters.

    The upper part takes the lower one's states as `inputs_embeds`. Its layers' cache indices count from its own first layer
    from now on; `join_trunk` makes the whole usable again.
    """
    import torch

    total = trunk.config.num_hidden_layers
    lower, upper = _shallow(trunk, range(depth)), _shallow(trunk, range(depth, total))
    lower.norm = torch.nn.Identity()
    for index, layer in enumerate(upper.layers):
        layer.self_attn.layer_idx = index
    return lower, upper


def join_trunk(trunk: Any) -> None:
    """Undo what `split_trunk` did to the layers of a trunk."""
    for index, layer in enumerate(trunk.layers):
        layer.self_attn.layer_idx = index


def _shallow(trunk: Any, chosen: range) -> Any:
    import torch

    part = copy.copy(trunk)
    part._modules = dict(trunk._modules)
    part.config = copy.deepcopy(trunk.config)
    part.config.num_hidden_layers = len(chosen)
    if getattr(part.config, "layer_types", None):
        part.config.layer_types = [trunk.config.layer_types[index] for index in chosen]
    part.layers = torch.nn.ModuleList(trunk.layers[index] for index in chosen)
    return part
