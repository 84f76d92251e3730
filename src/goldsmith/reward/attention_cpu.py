"""Attention of a packed row on a CPU: a prefix is read once by the tokens of all its replies, each segment reads itself, and both are joined.

The softmax over a path is the mean of the softmaxes over its two parts, weighted by their sums of exponentials (the recurrence of
FlashAttention; Dao et al. 2022, section 3.1). Against one call a reply over prefix and reply, no keys are copied behind each other,
nothing above the diagonal is computed, and one product is large instead of many small. The backward pass of each part is the kernel's own:
given the joined output and the joined sum it yields the part's share of the gradient of the whole.

Shapes: H query heads, G key-value heads, T tokens of the row, P of a prefix, E numbers a head.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from goldsmith.reward.attention import Layout, PrefixCache

FLOAT32_UP_TO = 256
"""Tokens of a segment up to which the backward pass of bfloat16 is faster in float32, conversions included: at 168 twice as fast."""

Part = tuple[slice, slice | int]
"""Queries of the row that all see one whole prefix: keys of the row, or the number of a cache."""


def joined_attention(module: Any, query: Tensor, key: Tensor, value: Tensor, layout: Layout, scaling: float | None) -> Tensor:
    """Return the attention of a row, [1, H, T, E]; arguments as those of `attention.packed_attention`."""
    caches = layout.caches()
    states = [state for cache in caches for state in cache.layers[module.layer_idx]]
    result: Tensor = _Joined.apply(query, key, value, layout.lengths, _parts(layout, caches), scaling, *states)  # type: ignore[no-untyped-call]
    return result


class _Joined(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        lengths: Sequence[int],
        parts: Sequence[Part],
        scale: float | None,
        *cached: Tensor,
    ) -> Tensor:
        keys, values, *states = (_repeated(each, query.shape[1]) for each in (key, value, *cached))
        # Tokens first in memory: that is how the layer goes on with it.
        out = torch.empty_like(query.transpose(1, 2), memory_format=torch.contiguous_format).transpose(1, 2)
        sums = []
        for own in _slices(lengths):
            out[:, :, own], total = _attend(query[:, :, own], keys[:, :, own], values[:, :, own], is_causal=True, scale=scale)
            sums.append(total)
        log_sum = torch.cat(sums, -1)
        for here, prefix in parts:
            seen, total = _attend(query[:, :, here], *_prefix(prefix, keys, values, states), is_causal=False, scale=scale)
            share = torch.sigmoid(total - log_sum[:, :, here]).unsqueeze(-1)
            out[:, :, here] = torch.lerp(out[:, :, here].to(share.dtype), seen.to(share.dtype), share).to(out.dtype)
            log_sum[:, :, here] = torch.logaddexp(log_sum[:, :, here], total)
        ctx.save_for_backward(query, key, value, out, log_sum, *cached)
        ctx.lengths, ctx.parts, ctx.scale = lengths, parts, scale
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, out, log_sum, *cached = ctx.saved_tensors
        keys, values, *states = (_repeated(each, query.shape[1]) for each in (key, value, *cached))
        into_query, into_keys, into_values = (torch.empty_like(each) for each in (query, keys, values))
        into_states: list[Any] = [0.0] * len(states)

        def gradients(here: slice, part: tuple[Tensor, Tensor], is_causal: bool) -> tuple[Tensor, ...]:
            mine, asked, made, total = (each[:, :, here] for each in (grad, query, out, log_sum))
            return _attend_backward(mine, asked, *part, made, total, is_causal=is_causal, scale=ctx.scale)

        for own in _slices(ctx.lengths):
            into = gradients(own, (keys[:, :, own], values[:, :, own]), is_causal=True)
            into_query[:, :, own], into_keys[:, :, own], into_values[:, :, own] = into
        for here, prefix in ctx.parts:
            of_query, of_keys, of_values = gradients(here, _prefix(prefix, keys, values, states), is_causal=False)
            into_query[:, :, here] += of_query
            if isinstance(prefix, slice):
                into_keys[:, :, prefix] += of_keys
                into_values[:, :, prefix] += of_values
            else:
                into_states[2 * prefix] += of_keys
                into_states[2 * prefix + 1] += of_values
        of_key, of_value, *of_cached = (_summed(each, key.shape[1]) for each in (into_keys, into_values, *into_states))
        return into_query, of_key, of_value, None, None, None, *of_cached


def _parts(layout: Layout, caches: Sequence[PrefixCache]) -> list[Part]:
    """Return which tokens see which prefix; neighbours that see the same one are one part."""
    places = list(_slices(layout.lengths))
    numbers = {id(cache): number for number, cache in enumerate(caches)}
    parts: list[Part] = []
    for here, segment in zip(places, layout.segments, strict=True):
        if segment.reads is not None:
            prefix: slice | int = numbers[id(segment.reads)]
        elif segment.parent is not None:
            prefix = places[segment.parent]
        else:
            continue
        if parts and parts[-1][1] == prefix and parts[-1][0].stop == here.start:
            here = slice(parts.pop()[0].start, here.stop)
        parts.append((here, prefix))
    return parts


def _slices(lengths: Sequence[int]) -> Iterator[slice]:
    start = 0
    for length in lengths:
        yield slice(start, start + length)
        start += length


def _prefix(prefix: slice | int, keys: Tensor, values: Tensor, states: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    if isinstance(prefix, int):
        return states[2 * prefix], states[2 * prefix + 1]
    return keys[:, :, prefix], values[:, :, prefix]


def _attend(query: Tensor, keys: Tensor, values: Tensor, *, is_causal: bool, scale: float | None) -> tuple[Tensor, Tensor]:
    """Return the attention and the logarithm of the sum of exponentials, [1, H, T]: the kernel behind PyTorch's, which keeps the latter to itself."""
    kernel = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    out, log_sum = kernel(query, keys, values, 0.0, is_causal, scale=scale)
    return out, log_sum


def _attend_backward(
    grad: Tensor,
    query: Tensor,
    keys: Tensor,
    values: Tensor,
    out: Tensor,
    log_sum: Tensor,
    *,
    is_causal: bool,
    scale: float | None,
) -> tuple[Tensor, ...]:
    kernel = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward
    if is_causal and query.shape[2] <= FLOAT32_UP_TO:
        grad, query, keys, values, out = (each.to(log_sum.dtype) for each in (grad, query, keys, values, out))
    return tuple(kernel(grad, query, keys, values, out, log_sum, 0.0, is_causal, scale=scale))


def _repeated(states: Tensor, heads: int) -> Tensor:
    return states if states.shape[1] == heads else states.repeat_interleave(heads // states.shape[1], 1)


def _summed(states: Tensor, groups: int) -> Tensor:
    return states if states.shape[1] == groups else states.reshape(1, groups, -1, *states.shape[2:]).sum(2)
