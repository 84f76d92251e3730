"""The kernels of packed rows: what the CPU's joins from its parts is the attention over whole paths, and so are its gradients."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from goldsmith.reward import attention, attention_cpu
from goldsmith.reward.attention import Layout, PrefixCache, Segment

HEADS, GROUPS, SIZE, CACHED = 6, 2, 16, 23
LONG = max(attention.BLOCK, attention_cpu.FLOAT32_UP_TO) + 9
"""Tokens of a reply that the whole-path kernel cuts into blocks, and whose backward pass is in bfloat16."""
MODULE = SimpleNamespace(layer_idx=0, num_key_value_groups=HEADS // GROUPS)


def _states(seed: int, heads: int, tokens: int, dtype: torch.dtype) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, heads, tokens, SIZE, generator=generator).to(dtype).requires_grad_()


def _row(dtype: torch.dtype) -> tuple[Layout, list[torch.Tensor]]:
    """A prefix with replies apart from each other, a reply alone, and replies of a prefix in an earlier row."""
    cache = PrefixCache()
    before = [_states(7, GROUPS, CACHED, dtype), _states(8, GROUPS, CACHED, dtype)]
    cache.layers[0] = (before[0], before[1])
    layout = Layout(
        (
            Segment(40),
            Segment(1, parent=0, before=40),
            Segment(LONG, parent=0, before=40),
            Segment(5),
            Segment(13, parent=0, before=40),
            Segment(11, reads=cache, before=CACHED),
            Segment(3, reads=cache, before=CACHED),
        )
    )
    tokens = sum(layout.lengths)
    return layout, [
        _states(1, HEADS, tokens, dtype),
        _states(2, GROUPS, tokens, dtype),
        _states(3, GROUPS, tokens, dtype),
        *before,
    ]


def _results(kind: str, dtype: torch.dtype, scaling: float | None) -> list[torch.Tensor]:
    """The attention of the row, and the gradients of its sum weighted at random."""
    layout, leaves = _row(dtype)
    query, key, value = leaves[:3]
    if kind == "joined":
        out = attention_cpu.joined_attention(MODULE, query, key, value, layout, scaling)
    else:
        out = attention._by_segment(MODULE, query, key, value, layout, 0.0, scaling)
    weight = torch.randn(out.shape, generator=torch.Generator().manual_seed(4))
    (out.float() * weight).sum().backward()
    return [out.detach(), *(leaf.grad for leaf in leaves)]


@pytest.mark.parametrize("scaling", [None, 0.4])
def test_parts_joined_are_the_attention_over_whole_paths_and_so_are_the_gradients(scaling: float | None):
    for found, expected in zip(
        _results("joined", torch.float32, scaling), _results("whole", torch.float32, scaling), strict=True
    ):
        assert found is not None
        torch.testing.assert_close(found, expected, atol=2e-5, rtol=1e-5)


def test_in_bfloat16_the_join_is_as_near_to_float32_as_whole_paths_are():
    truth = _results("whole", torch.float32, None)
    for found, whole, exact in zip(
        _results("joined", torch.bfloat16, None), _results("whole", torch.bfloat16, None), truth, strict=True
    ):
        assert found.dtype == torch.bfloat16
        assert (found - exact).norm() <= 1.5 * (whole - exact).norm()


def test_neighbours_of_one_prefix_are_attended_to_together():
    layout, _ = _row(torch.float32)
    start = 40 + 1 + LONG
    assert attention_cpu._parts(layout, layout.caches()) == [
        (slice(40, start), slice(0, 40)),
        (slice(start + 5, start + 18), slice(0, 40)),
        (slice(start + 18, start + 32), 0),
    ]


def test_dropout_takes_the_kernel_that_knows_it(monkeypatch: pytest.MonkeyPatch):
    layout, (query, key, value, *_) = _row(torch.float32)
    monkeypatch.setattr(attention, "joined_attention", None)
    result, _ = attention.packed_attention(MODULE, query, key, value, None, dropout=0.5, layout=layout)
    assert result.shape == (1, sum(layout.lengths), HEADS, SIZE)
