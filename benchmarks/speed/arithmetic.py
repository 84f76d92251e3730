"""How much arithmetic a piece of work takes, and how fast this machine multiplies matrices of the model's own shapes."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from goldsmith.reward.packing import Group


def forward_flops(config: Any, groups: Iterable[Group]) -> float:
    """Multiplications and additions of one forward pass, embeddings left out: linear maps of every token, and attention along each
    reply's path, a shared prefix counted once.
    """
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    query, key = config.num_attention_heads * head, config.num_key_value_heads * head
    linear = config.hidden_size * (2 * query + 2 * key + 3 * config.intermediate_size)
    total = 0.0
    for group in groups:
        before = len(group.prefix)
        seen = before * (before + 1) / 2 + sum(before * len(s) + len(s) * (len(s) + 1) / 2 for s in group.suffixes)
        total += config.num_hidden_layers * (2 * linear * group.tokens + 4 * query * seen)
    return total


def matmul_rate(config: Any, dtype: Any, tokens: int = 2048, repeats: int = 6) -> float:
    """Floating-point operations a second of this machine on the linear maps of one layer, now."""
    import torch

    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    query, key, hidden, inner = (
        config.num_attention_heads * head,
        config.num_key_value_heads * head,
        config.hidden_size,
        config.intermediate_size,
    )
    shapes = [(hidden, query), (hidden, key), (hidden, key), (query, hidden), (hidden, inner), (hidden, inner), (inner, hidden)]
    work = [(torch.randn(tokens, a, dtype=dtype), torch.randn(b, a, dtype=dtype)) for a, b in shapes]
    with torch.inference_mode():
        for left, right in work:
            left @ right.T
        begun = time.perf_counter()
        for _ in range(repeats):
            for left, right in work:
                left @ right.T
    return repeats * 2 * tokens * sum(a * b for a, b in shapes) / (time.perf_counter() - begun)
