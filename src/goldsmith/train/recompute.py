"""Gradient checkpointing: a layer's inner states are computed again in the backward pass instead of being kept.

Of a pass only what goes in and out of each layer stays in memory. Nothing here draws random numbers or keeps a cache between layers'
calls, so the second computation is the first to the last bit.
"""

from __future__ import annotations

import functools
from typing import Any


def recompute_layers(trunk: Any) -> None:
    """Make every layer of a decoder recompute its inner states in the backward pass."""
    for layer in trunk.layers:
        layer.forward = functools.partial(_forward, layer.forward)


def keep_states(trunk: Any) -> None:
    """Undo `recompute_layers`."""
    for layer in trunk.layers:
        layer.__dict__.pop("forward", None)


def _forward(inner: Any, *args: Any, **options: Any) -> Any:
    import torch
    from torch.utils.checkpoint import checkpoint

    if not torch.is_grad_enabled():
        return inner(*args, **options)
    return checkpoint(functools.partial(inner, **options), *args, use_reentrant=False)
