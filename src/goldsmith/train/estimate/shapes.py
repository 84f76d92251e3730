"""Shapes of decoders: those of the recipes from a table, any other from its config.json."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goldsmith.errors import UserError
from goldsmith.models import base_model_path

FAMILIES = ("llama", "mistral", "qwen2", "qwen3")
"""Model types whose layers are: norm, grouped-query attention, norm, gated feed-forward."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Sizes of a decoder.

    Attributes:
        family: transformers' model type; `qwen3` norms queries and keys, `qwen2` has biases on them and on values.
        layers: number of layers.
        hidden: width of the residual stream.
        intermediate: width of the feed-forward part.
        heads: query heads.
        kv_heads: key and value heads, shared by `heads / kv_heads` query heads each.
        head_dim: width of a head.
        vocab: rows of the embedding.
        positions: longest sequence the model was made for.
        tied: the language model's output matrix is the embedding; a reward model has neither.
    """

    family: str
    layers: int
    hidden: int
    intermediate: int
    heads: int
    kv_heads: int
    head_dim: int
    vocab: int
    positions: int
    tied: bool

    @property
    def queries(self) -> int:
        """Width of all query heads together."""
        return self.heads * self.head_dim

    @property
    def keys(self) -> int:
        """Width of all key heads together, which is also that of the values."""
        return self.kv_heads * self.head_dim


def _qwen3(layers: int, hidden: int, intermediate: int, heads: int, tied: bool) -> Shape:
    return Shape(
        family="qwen3",
        layers=layers,
        hidden=hidden,
        intermediate=intermediate,
        heads=heads,
        kv_heads=8,
        head_dim=128,
        vocab=151_936,
        positions=40_960,
        tied=tied,
    )


def _llama3(layers: int, hidden: int, intermediate: int, heads: int, head_dim: int, tied: bool) -> Shape:
    return Shape(
        family="llama",
        layers=layers,
        hidden=hidden,
        intermediate=intermediate,
        heads=heads,
        kv_heads=8,
        head_dim=head_dim,
        vocab=128_256,
        positions=131_072,
        tied=tied,
    )


SHAPES: dict[str, Shape] = {
    # Layers, widths, heads and vocabulary: as in the public configurations of pytorch/torchtitan (Qwen3). Positions: [memory].
    "Qwen/Qwen3-0.6B": _qwen3(28, 1024, 3072, 16, True),
    "Qwen/Qwen3-1.7B": _qwen3(28, 2048, 6144, 16, True),
    "Qwen/Qwen3-4B": _qwen3(36, 2560, 9728, 32, True),
    "Qwen/Qwen3-8B": _qwen3(36, 4096, 12288, 32, False),
    # Likewise pytorch/torchtune (Llama 3.2); `tied` is [memory].
    "meta-llama/Llama-3.2-1B-Instruct": _llama3(16, 2048, 8192, 32, 64, True),
    "meta-llama/Llama-3.2-3B-Instruct": _llama3(28, 3072, 8192, 24, 128, True),
    # [memory], all of it.
    "meta-llama/Llama-3.1-8B-Instruct": _llama3(32, 4096, 14336, 32, 128, False),
    # Read from the converted checkpoint's config.json.
    "embedded": Shape(
        family="llama",
        layers=30,
        hidden=576,
        intermediate=1536,
        heads=9,
        kv_heads=3,
        head_dim=64,
        vocab=49_152,
        positions=8_192,
        tied=True,
    ),
}


def shape_of(base: str | Path) -> Shape:
    """Return the shape of a base model without its weights.

    Args:
        base: a name of the table, a folder with a config.json, or a hub id whose config.json is in the local cache.

    Raises:
        UserError: nothing local says what its shape is, or it is no decoder of a known kind.
    """
    if str(base) in SHAPES:
        return SHAPES[str(base)]
    path = _local_config(base)
    if path is None:
        raise UserError(
            f"the shape of {base} is not known here: known are {', '.join(SHAPES)}; "
            "give a folder that holds its config.json (weights are not needed)"
        )
    try:
        return _from_config(json.loads(path.read_text(encoding="utf-8")), path)
    except (ValueError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: cannot be read as a model's configuration ({error}); fetch it again") from None


def _local_config(base: str | Path) -> Path | None:
    found = base_model_path(base)
    if isinstance(found, Path):
        path = found / "config.json"
        return path if path.is_file() else None
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError:
        return None
    cached = try_to_load_from_cache(found, "config.json")
    return Path(cached) if isinstance(cached, str) else None


def _from_config(config: dict[str, Any], path: Path) -> Shape:
    family = str(config.get("model_type"))
    if family not in FAMILIES:
        raise UserError(f"{path}: model_type '{family}': its memory cannot be estimated; known kinds: {', '.join(FAMILIES)}")
    try:
        hidden, heads = int(config["hidden_size"]), int(config["num_attention_heads"])
        return Shape(
            family=family,
            layers=int(config["num_hidden_layers"]),
            hidden=hidden,
            intermediate=int(config["intermediate_size"]),
            heads=heads,
            kv_heads=int(config.get("num_key_value_heads") or heads),
            head_dim=int(config.get("head_dim") or hidden // heads),
            vocab=int(config["vocab_size"]),
            positions=int(config["max_position_embeddings"]),
            tied=bool(config.get("tie_word_embeddings", False)),
        )
    except KeyError as error:
        raise UserError(f"{path}: no {error} in it, so its shape is not known; fetch it again") from None
