"""A decoder as an OpenVINO graph, weights compressed where asked: the plugin fuses the norms, rotations and attention it knows.

Inputs: `input_ids` int64 [B, L], right-padded; `last` int64 [B]. Output: `state` float32 [B, D], normalised, which the head reads outside the
graph. Padding stands after what is read, and attention is causal, so no mask of it is needed. The last layer computes its queries and its
MLP for the tokens that are read alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import openvino
import openvino.opset15 as ops

from goldsmith.export.decoder import Decoder, Layer, Linear
from goldsmith.export.quantize import quantize

_DECOMPRESSION = "decompression"
"""Mark of a conversion that stays in the graph until it meets its product."""


def openvino_decoder(
    decoder: Decoder, *, weights: str = "float32", block: int | None = None, keep: Sequence[str] | set[str] = ()
) -> openvino.Model:
    """Return the graph of a decoder.

    Args:
        decoder: what it computes.
        weights: `float32`, `float16`, `bfloat16`, `int8` or `int4`: how weights are stored; arithmetic is the runtime's choice.
        block: inputs that share a scale of integer weights; none: the whole row.
        keep: names of linear maps that stay float32.
    """
    build = _Builder(decoder, weights, block, set(keep))
    ids = ops.parameter([-1, -1], np.int64, name="input_ids")
    last = ops.parameter([-1], np.int64, name="last")
    state = build.run(ids, last)
    for node in (ids, last):
        node.output(0).tensor.set_names({node.get_friendly_name()})
    state.output(0).tensor.set_names({"state"})
    return openvino.Model([ops.result(state)], [ids, last], "decoder")


class _Builder:
    def __init__(self, decoder: Decoder, weights: str, block: int | None, keep: set[str]) -> None:
        self.decoder, self.weights, self.block, self.keep = decoder, weights, block, keep

    def run(self, ids: Any, last: Any) -> Any:
        """Return the node of the states that are read."""
        decoder, shape = self.decoder, ops.shape_of(ids)
        length = ops.gather(shape, _ints(1), _int(0))
        row = ops.range(_int(0), ops.squeeze(length, _ints(0)), _int(1), "i64")
        self.last = ops.unsqueeze(last, _ints(1))
        # Row 0 stands for every sequence: positions are the places in it.
        self.table = [
            ops.unsqueeze(ops.gather(_floats(part), row, _int(0)), _ints(0, 1)) for part in (decoder.cosine, decoder.sine)
        ]
        self.last_table = [
            ops.unsqueeze(ops.gather(_floats(part), self.last, _int(0)), _ints(1)) for part in (decoder.cosine, decoder.sine)
        ]
        seen = ops.less_equal(ops.unsqueeze(row, _ints(0)), self.last)
        self.last_mask = ops.unsqueeze(seen, _ints(1, 2))
        states = ops.gather(self._weight("model.embed_tokens", decoder.embedding, bits=8), ids, _int(0))
        for index, layer in enumerate(decoder.layers):
            states = self._layer(states, layer, index == len(decoder.layers) - 1)
        return ops.squeeze(self._norm(states, decoder.norm), _ints(1))

    def _layer(self, states: Any, layer: Layer, is_last: bool) -> Any:
        decoder, table = self.decoder, self.table
        normed = self._norm(states, layer.input_norm)
        key = self._rotated(self._heads(self._linear(normed, layer.key), decoder.kv_heads, layer.k_norm), table)
        value = self._heads(self._linear(normed, layer.value), decoder.kv_heads, None)
        if is_last:
            states, normed, table = self._read(states), self._read(normed), self.last_table
        query = self._rotated(self._heads(self._linear(normed, layer.query), decoder.heads, layer.q_norm), table)
        keys, values = self._repeated(key), self._repeated(value)
        scale = _floats(np.array(decoder.scale, np.float32))
        if is_last:
            mixed = ops.scaled_dot_product_attention(query, keys, values, self.last_mask, scale, causal=False)
        else:
            mixed = ops.scaled_dot_product_attention(query, keys, values, scale=scale, causal=True)
        flat = ops.reshape(ops.transpose(mixed, _ints(0, 2, 1, 3)), _ints(0, 0, -1), special_zero=True)
        states = ops.add(states, self._linear(flat, layer.output))
        normed = self._norm(states, layer.post_norm)
        inner = ops.multiply(ops.swish(self._linear(normed, layer.gate)), self._linear(normed, layer.up))
        return ops.add(states, self._linear(inner, layer.down))

    def _read(self, states: Any) -> Any:
        """Keep of each sequence the token that is read: [B, L, D] to [B, 1, D]."""
        return ops.unsqueeze(ops.gather_nd(states, self.last, 1), _ints(1))

    def _norm(self, states: Any, weight: Any) -> Any:
        square = ops.reduce_mean(ops.power(states, _floats(np.array(2.0, np.float32))), _ints(-1), keep_dims=True)
        root = ops.sqrt(ops.add(square, _floats(np.array(self.decoder.eps, np.float32))))
        scaled = ops.multiply(states, ops.divide(_floats(np.array(1.0, np.float32)), root))
        return ops.multiply(scaled, _floats(weight))

    def _heads(self, states: Any, heads: int, norm: Any) -> Any:
        split = ops.reshape(states, _ints(0, 0, heads, self.decoder.head_dim), special_zero=True)
        return ops.transpose(split if norm is None else self._norm(split, norm), _ints(0, 2, 1, 3))

    def _rotated(self, states: Any, table: list[Any]) -> Any:
        cosine, sine = (ops.concat([part, part], -1) for part in table)
        half = self.decoder.head_dim // 2
        first, second = ops.variadic_split(states, _int(-1), _ints(half, half)).outputs()
        turned = ops.concat([ops.negative(second), first], -1)
        return ops.add(ops.multiply(states, cosine), ops.multiply(turned, sine))

    def _repeated(self, states: Any) -> Any:
        """Give every query head its keys: [B, G, L, E] to [B, H, L, E]."""
        decoder = self.decoder
        times = decoder.heads // decoder.kv_heads
        if times == 1:
            return states
        wide = ops.broadcast(ops.unsqueeze(states, _ints(2)), _ints(1, 1, times, 1, 1), broadcast_spec="BIDIRECTIONAL")
        return ops.reshape(wide, _ints(0, decoder.heads, -1, decoder.head_dim), special_zero=True)

    def _linear(self, states: Any, linear: Linear) -> Any:
        found = ops.matmul(states, self._weight(linear.name, linear.weight), False, True)
        return found if linear.bias is None else ops.add(found, _floats(linear.bias))

    def _weight(self, name: str, weight: Any, bits: int | None = None) -> Any:
        if self.weights == "float32" or name in self.keep:
            return _floats(weight)
        if self.weights in ("float16", "bfloat16"):
            return _stored(weight, self.weights)
        bits = bits or int(self.weights.removeprefix("int"))
        return _integers(weight, bits, self.block if bits < 8 else None)


def _integers(weight: Any, bits: int, block: int | None) -> Any:
    """Integers, converted and scaled in the graph, which the plugin does inside its products."""
    small = quantize(weight, bits=bits, block=block)
    rows, count, width = small.values.shape
    if count * width != small.columns:
        return _integers(weight, bits, None)
    shape = [rows, small.columns] if count == 1 else [rows, count, width]
    stored = ops.constant(small.values.reshape(shape), openvino.Type.i8 if bits == 8 else openvino.Type.i4)
    scale = small.scale if count == 1 else small.scale[:, :, None]
    floats = ops.multiply(_kept(ops.convert(stored, np.float32)), _floats(scale))
    return floats if count == 1 else ops.reshape(floats, _ints(rows, small.columns), False)


def _stored(weight: Any, kind: str) -> Any:
    stored = ops.constant(weight, openvino.Type.f16 if kind == "float16" else openvino.Type.bf16)
    return _kept(ops.convert(stored, np.float32))


def _kept(node: Any) -> Any:
    node.get_rt_info()[_DECOMPRESSION] = ""
    return node


def _floats(values: Any) -> Any:
    return ops.constant(np.asarray(values, np.float32, order="C"))


def _ints(*values: int) -> Any:
    return ops.constant(np.array(values, np.int64))


def _int(value: int) -> Any:
    return ops.constant(np.array(value, np.int64))
