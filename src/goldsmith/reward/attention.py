"""Attention of a packed row: every token sees its own path, the shared prefix and then its own reply, and nothing else of the row.

Shapes: H query heads, G key-value heads, T tokens of the row, E numbers a head. Three kernels give the same result:

- on a CPU, one attention call a segment and one a prefix (`attention_cpu`), so the cost is that of the paths alone and no [T, T] mask exists;
- with dropout, and on other devices, one call a segment over its whole path;
- on CUDA, FlexAttention with a block mask made from the same rule (written with care, never run here: there was no GPU).

The kernel is registered with transformers under `NAME`, so a Llama or Qwen3 computes everything else by its own unchanged code.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention as attend
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from goldsmith.reward.attention_cpu import joined_attention

NAME = "goldsmith_packed"
BLOCK = 512
"""Queries of one call at most: a long reply then skips most of the upper triangle, and the mask stays small."""


@dataclass(slots=True)
class PrefixCache:
    """Keys and values [1, G, P, E] of one prefix by layer, for replies that did not fit into the row with it."""

    layers: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Segment:
    """Consecutive tokens of a row: a prefix, or what follows it in one reply.

    Attributes:
        length: tokens, at least one.
        parent: number of the segment that holds its prefix; None for a prefix, and where there is none in this row.
        fills: the cache that gets this prefix's keys and values.
        reads: the cache that holds its prefix, when that was in an earlier row.
        before: tokens of its prefix.
    """

    length: int
    parent: int | None = None
    fills: PrefixCache | None = None
    reads: PrefixCache | None = None
    before: int = 0


@dataclass(frozen=True)
class Layout:
    """The segments of one packed row, in order."""

    segments: tuple[Segment, ...]

    @cached_property
    def lengths(self) -> list[int]:
        """Tokens of each segment."""
        return [segment.length for segment in self.segments]

    @cached_property
    def _block_masks(self) -> list[Any]:
        return []

    @cached_property
    def _masks(self) -> dict[tuple[torch.dtype, torch.device], Tensor]:
        return {}

    def mask(self, queries: int, keys: int, like: Tensor) -> Tensor:
        """Return the additive mask [queries, keys] under which the last query sees every key, and each one before it one less.

        All masks are views of one: its lower right corner is every smaller mask's lower right corner.
        """
        base = self._masks.get((like.dtype, like.device))
        if base is None:
            rows = min(BLOCK, max(self.lengths))
            columns = max(segment.before + segment.length for segment in self.segments)
            base = like.new_full((rows, columns), float("-inf")).triu(columns - rows + 1)
            self._masks[like.dtype, like.device] = base
        return base[base.shape[0] - queries :, base.shape[1] - keys :]

    def block_mask(self, device: torch.device) -> Any:
        """Return FlexAttention's mask [T, K]; the K keys are those of the caches that are read, then the row's own."""
        if self._block_masks:
            return self._block_masks[0]
        from torch.nn.attention.flex_attention import create_block_mask

        own_T, parent_T, own_K, order_K = (torch.tensor(values, device=device) for values in self._paths())

        def sees(batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
            is_own = (own_K[key] == own_T[query]) & (order_K[key] <= query)
            return is_own | (own_K[key] == parent_T[query])

        self._block_masks.append(create_block_mask(sees, None, None, len(own_T), len(own_K), device=device))
        return self._block_masks[0]

    def caches(self) -> list[PrefixCache]:
        """Return the caches that are read, each once."""
        return list({id(segment.reads): segment.reads for segment in self.segments if segment.reads is not None}.values())

    def _paths(self) -> tuple[list[int], list[int], list[int], list[int]]:
        """Return for each query its segment and its prefix's, for each key its segment and its place in the row (-1: a cache)."""
        number = {id(cache): -2 - index for index, cache in enumerate(self.caches())}
        own: list[int] = []
        parents: list[int] = []
        cached: dict[int, int] = {}
        for index, segment in enumerate(self.segments):
            parent = segment.parent
            if segment.reads is not None:
                parent = number[id(segment.reads)]
                cached[parent] = segment.before
            own += [index] * segment.length
            parents += [-1 if parent is None else parent] * segment.length
        keys = [name for name in sorted(cached, reverse=True) for _ in range(cached[name])]
        return own, parents, keys + own, [-1] * len(keys) + list(range(len(own)))


def packed_attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    layout: Layout | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """Return the attention of a row, [1, T, H, E], in the form transformers calls it.

    Args:
        module: the attention layer; its `layer_idx` and `num_key_value_groups` are read.
        query: [1, H, T, E].
        key: [1, G, T, E].
        value: [1, G, T, E].
        attention_mask: used without a layout only.
        dropout: probability.
        scaling: of the products; none: 1 / sqrt(E).
        layout: of the row; none: the call is an ordinary one.
        options: what transformers passes besides.
    """
    if layout is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **options)  # type: ignore[no-any-return]
    for segment, keys, values in zip(
        layout.segments, key.split_with_sizes(layout.lengths, 2), value.split_with_sizes(layout.lengths, 2), strict=True
    ):
        if segment.fills is not None:
            segment.fills.layers[module.layer_idx] = (keys, values)
    if query.device.type == "cpu" and not dropout:
        return joined_attention(module, query, key, value, layout, scaling).transpose(1, 2), None
    kernel = _flex if query.device.type == "cuda" else _by_segment
    return kernel(module, query, key, value, layout, dropout, scaling).transpose(1, 2), None


def _by_segment(
    module: Any, query: Tensor, key: Tensor, value: Tensor, layout: Layout, dropout: float, scaling: float | None
) -> Tensor:
    groups, layer = module.num_key_value_groups, module.layer_idx
    # `split`, not slices: its backward pass is one concatenation, a slice's a row of zeros for each segment.
    keys = _repeated(key, groups).split_with_sizes(layout.lengths, 2)
    values = _repeated(value, groups).split_with_sizes(layout.lengths, 2)
    results = []
    for index, (segment, queries) in enumerate(zip(layout.segments, query.split_with_sizes(layout.lengths, 2), strict=True)):
        path_keys, path_values = keys[index], values[index]
        if segment.reads is not None:
            before = segment.reads.layers[layer]
            path_keys = torch.cat([_repeated(before[0], groups), path_keys], 2)
            path_values = torch.cat([_repeated(before[1], groups), path_values], 2)
        elif segment.parent is not None:
            path_keys = torch.cat([keys[segment.parent], path_keys], 2)
            path_values = torch.cat([values[segment.parent], path_values], 2)
        results += _segment(queries, path_keys, path_values, layout, dropout, scaling)
    return torch.cat(results, 2)


def _segment(query: Tensor, key: Tensor, value: Tensor, layout: Layout, dropout: float, scaling: float | None) -> list[Tensor]:
    """Return the attention of one segment over its path in blocks of queries; the last query sees the last key."""
    length, path = query.shape[2], key.shape[2]
    if length == path:
        return [attend(query, key, value, is_causal=True, dropout_p=dropout, scale=scaling)]
    results = []
    for start in range(0, length, BLOCK):
        stop = min(start + BLOCK, length)
        end = path - length + stop
        mask = layout.mask(stop - start, end, query)
        results.append(
            attend(query[:, :, start:stop], key[:, :, :end], value[:, :, :end], attn_mask=mask, dropout_p=dropout, scale=scaling)
        )
    return results


def _flex(
    module: Any, query: Tensor, key: Tensor, value: Tensor, layout: Layout, dropout: float, scaling: float | None
) -> Tensor:
    if dropout:
        raise ValueError("attention dropout is not supported in packed rows on CUDA; set attention_dropout to 0 in config.json")
    before = [cache.layers[module.layer_idx] for cache in layout.caches()]
    keys = torch.cat([*(pair[0] for pair in before), key], 2)
    values = torch.cat([*(pair[1] for pair in before), value], 2)
    result: Tensor = _flex_kernel(query.device.type)(
        query, keys, values, block_mask=layout.block_mask(query.device), scale=scaling, enable_gqa=module.num_key_value_groups > 1
    )
    return result


@functools.cache
def _flex_kernel(device: str) -> Any:
    from torch.nn.attention.flex_attention import flex_attention

    # Uncompiled, it is slow and builds the whole matrix: good for comparing on a CPU, and for nothing else.
    return torch.compile(flex_attention, dynamic=True) if device == "cuda" else flex_attention


def _repeated(states: Tensor, groups: int) -> Tensor:
    return states if groups == 1 else states.repeat_interleave(groups, 1)


AttentionInterface.register(NAME, packed_attention)
# An ordinary call of a model under this name still gets its usual mask.
AttentionMaskInterface.register(NAME, sdpa_mask)
