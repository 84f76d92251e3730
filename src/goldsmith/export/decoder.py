"""What a decoder computes, as plain numbers: the graphs of every runtime are built from it.

Shapes: D hidden, H query heads, G key-value heads, E numbers a head, I inner width of the MLP, V vocabulary, P positions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from goldsmith.errors import UserError
from goldsmith.reward.trunk import supports_packing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

FAMILIES = ("llama", "mistral", "qwen2", "qwen3")
"""Model types whose layers are: RMS norm, rotary grouped-query attention, RMS norm, gated SiLU."""
_MOVING_ROPE = ("dynamic", "longrope")
"""Rotary embeddings whose frequencies depend on the length of the conversation; a graph has one table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Linear:
    """One linear map: weight float32 [out, in], bias float32 [out] or none; `name` is the checkpoint's, without `.weight`."""

    name: str
    weight: Floats
    bias: Floats | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One layer; `q_norm` and `k_norm` [E] are Qwen3's, per head."""

    input_norm: Floats
    post_norm: Floats
    query: Linear
    key: Linear
    value: Linear
    output: Linear
    gate: Linear
    up: Linear
    down: Linear
    q_norm: Floats | None = None
    k_norm: Floats | None = None

    @property
    def linears(self) -> tuple[Linear, ...]:
        """Every linear map, in the order of computation."""
        return (self.query, self.key, self.value, self.output, self.gate, self.up, self.down)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoder:
    """A decoder without head.

    Attributes:
        embedding: float32 [V, D].
        layers: from the first.
        norm: float32 [D], of the last states.
        cosine, sine: float32 [P, E / 2], the rotary table with whatever scaling the model has.
        eps: of the norms.
        scale: of queries times keys.
    """

    embedding: Floats
    layers: tuple[Layer, ...]
    norm: Floats
    cosine: Floats
    sine: Floats
    heads: int
    kv_heads: int
    head_dim: int
    eps: float
    scale: float

    @property
    def hidden(self) -> int:
        """D."""
        return int(self.embedding.shape[1])

    @property
    def linears(self) -> list[Linear]:
        """Every linear map of every layer; the head is none of them."""
        return [linear for layer in self.layers for linear in layer.linears]


def read_decoder(trunk: Any, max_length: int) -> Decoder:
    """Return the numbers of a transformers decoder.

    Args:
        trunk: `LlamaModel` and its like, in float32.
        max_length: P, the longest conversation the graph must read.

    Raises:
        UserError: a model type, an activation or a rotary embedding that no graph is written for, or weights that are not finite.
    """
    config = trunk.config.get_text_config()
    _check_supported(trunk, config)
    layers = tuple(_layer(layer, f"model.layers.{index}") for index, layer in enumerate(trunk.layers))
    cosine, sine = _rotary(trunk, max_length)
    attention = trunk.layers[0].self_attn
    return Decoder(
        embedding=_array(trunk.embed_tokens.weight, "model.embed_tokens"),
        layers=layers,
        norm=_array(trunk.norm.weight, "model.norm"),
        cosine=cosine,
        sine=sine,
        heads=config.num_attention_heads,
        kv_heads=config.num_key_value_heads,
        head_dim=attention.head_dim,
        eps=float(trunk.norm.variance_epsilon),
        scale=float(attention.scaling),
    )


def _check_supported(trunk: Any, config: Any) -> None:
    kind = type(trunk).__name__
    if config.model_type not in FAMILIES or not supports_packing(config):
        raise UserError(
            f"{kind}: graphs are written for {', '.join(FAMILIES)} with full attention in every layer, not for model type "
            f"{config.model_type!r}; export it with --to hf"
        )
    if config.hidden_act not in ("silu", "swish"):
        raise UserError(f"{kind}: its activation {config.hidden_act!r} has no graph here (silu has); export it with --to hf")
    rope = str((getattr(config, "rope_parameters", None) or {}).get("rope_type", "default"))
    if rope in _MOVING_ROPE:
        raise UserError(f"{kind}: its rotary embedding {rope!r} depends on the length of each text; export it with --to hf")


def _layer(layer: Any, name: str) -> Layer:
    attention, mlp = layer.self_attn, layer.mlp

    def linear(part: str) -> Linear:
        return _linear(getattr(attention, part), f"{name}.self_attn.{part}")

    def inner(part: str) -> Linear:
        return _linear(getattr(mlp, part), f"{name}.mlp.{part}")

    def norm(part: str) -> Floats | None:
        found = getattr(attention, part, None)
        return None if found is None else _array(found.weight, f"{name}.self_attn.{part}")

    return Layer(
        input_norm=_array(layer.input_layernorm.weight, f"{name}.input_layernorm"),
        post_norm=_array(layer.post_attention_layernorm.weight, f"{name}.post_attention_layernorm"),
        query=linear("q_proj"),
        key=linear("k_proj"),
        value=linear("v_proj"),
        output=linear("o_proj"),
        gate=inner("gate_proj"),
        up=inner("up_proj"),
        down=inner("down_proj"),
        q_norm=norm("q_norm"),
        k_norm=norm("k_norm"),
    )


def _linear(module: Any, name: str) -> Linear:
    bias = None if module.bias is None else _array(module.bias, f"{name}.bias")
    return Linear(name=name, weight=_array(module.weight, name), bias=bias)


def _array(tensor: Any, name: str) -> Floats:
    values: Floats = tensor.detach().float().cpu().contiguous().numpy()
    if not np.isfinite(values).all():
        raise UserError(f"{name} holds numbers that are not finite, so every score would be none; train the model again")
    return values


def _rotary(trunk: Any, max_length: int) -> tuple[Floats, Floats]:
    import torch

    with torch.inference_mode():
        cos_1PE, sin_1PE = trunk.rotary_emb(trunk.embed_tokens.weight[:1, None], torch.arange(max_length)[None])
    half = cos_1PE.shape[-1] // 2
    return cos_1PE[0, :, :half].float().numpy().copy(), sin_1PE[0, :, :half].float().numpy().copy()
