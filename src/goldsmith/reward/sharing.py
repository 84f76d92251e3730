"""Whether conversations may be packed and share the tokens of their context, decided by declared properties of the model; and why not."""

from __future__ import annotations

import functools
import logging
from typing import Any

from goldsmith.errors import UserError
from goldsmith.reward.trunk import PACKABLE, supports_packing

LOG = logging.getLogger("goldsmith")

PACKED = "packed rows, shared prefixes"


def why_not_packed(config: Any) -> str | None:
    """Return why packed rows with shared prefixes are not known to be exact for a model, or None when they are.

    Args:
        config: the transformers configuration.
    """
    if supports_packing(config):
        return None
    text = config.get_text_config()
    if text.model_type not in PACKABLE:
        return f"'{text.model_type}' is not among the architectures on which packing is tested"
    window = getattr(text, "sliding_window", None)
    kinds = sorted(set(getattr(text, "layer_types", None) or ()) - {"full_attention", "sliding_attention"})
    if kinds:
        return f"'{text.model_type}' has layers of kind {', '.join(kinds)}"
    return f"'{text.model_type}' has layers that attend to the last {window} tokens only"


def describe_batching(reason: str | None) -> str:
    """Return how batches are made, for records and messages."""
    return PACKED if reason is None else f"length-sorted padded batches of whole conversations: {reason}"


@functools.lru_cache(maxsize=64)
def say_once(reason: str) -> None:
    """Log, once a process for each reason, that nothing is packed: scores are the same, and cost more."""
    LOG.warning(
        "conversations are not packed and share no prefixes, which is slower and scores the same: %s; using length-sorted padded batches",
        reason,
    )


def check_positions(config: Any, max_length: int, name: str) -> None:
    """Refuse lengths at which rotary frequencies would depend on the other conversations of a batch.

    Raises:
        UserError: rotary scaling that switches its frequencies for the whole batch, and `max_length` above the length where it does.
    """
    text = config.get_text_config()
    found = getattr(text, "rope_parameters", None) or {}
    # Some models keep one set of parameters for each kind of layer.
    for rope in [found, *(value for value in found.values() if isinstance(value, dict))]:
        limit = rope.get("original_max_position_embeddings") or getattr(text, "original_max_position_embeddings", None)
        if rope.get("rope_type") == "longrope" and limit and max_length > limit:
            raise UserError(
                f"{name}: its rotary frequencies change for a whole batch when its longest conversation has more than {limit} tokens, so "
                f"scores would depend on their neighbours; set --max-length {limit}"
            )
