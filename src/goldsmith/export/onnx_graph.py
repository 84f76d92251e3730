"""A decoder as an ONNX graph of standard operators (opset 23); 4-bit linear maps use ONNX Runtime's MatMulNBits.

8-bit linear maps are products of integers: the weights have a scale an output channel, the activations one a token, found while computing,
so a token with massive activations spoils itself alone.

Inputs: `input_ids` int64 [B, L], right-padded; `last` int64 [B], the index at which each sequence is read; `past` float32
[2 * layers, B, G, T, E], keys and values of the T tokens before, none at first. Outputs: `state` float32 [B, D], normalised, which the head
reads outside the graph; `present` float32 [2 * layers, B, G, L, E]. Padding stands after what is read, and attention is causal, so no mask
of it is needed. The last layer computes its queries and its MLP for the tokens that are read alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from goldsmith.export.decoder import Decoder, Layer, Linear
from goldsmith.export.quantize import quantize

OPSET, MICROSOFT = 23, "com.microsoft"
WEIGHT_BITS = 7
"""Of the 8 that are stored: processors without VNNI add two products of unsigned and signed bytes in 16 bits, which saturate beyond that."""
_MIDDLE, _MOST = 128, 127.0
"""Activations are unsigned bytes around the middle."""
_INT_BY_ROW = 4
"""MatMulNBits' accuracy level: activations are quantised too, to 8 bits, with one scale for each row and block."""


class Graph:
    """Collects nodes and constants; names of values are made here."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, TensorProto] = {}

    def op(self, kind: str, *inputs: str, outputs: int = 1, domain: str = "", **attributes: Any) -> Any:
        """Add a node and return the name of its output, or a list of them."""
        names = [f"{kind}_{len(self.nodes)}_{index}" for index in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, domain=domain, **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, values: Any, name: str | None = None) -> str:
        """Add a constant and return its name; an equal small one is used again."""
        array = np.asarray(values, order="C")
        name = name or f"constant_{array.dtype}_{'_'.join(map(str, array.ravel().tolist()))}_{array.ndim}"
        if name not in self.constants:
            self.constants[name] = numpy_helper.from_array(array, name)
        return name

    def number(self, value: float) -> str:
        """Add a float32."""
        return self.constant(np.array(value, np.float32))

    def ints(self, *values: int) -> str:
        """Add a list of int64."""
        return self.constant(np.array(values, np.int64))


def onnx_decoder(
    decoder: Decoder, *, bits: int | None = None, block: int = 32, keep: Sequence[str] | set[str] = ()
) -> ModelProto:
    """Return the graph of a decoder.

    Args:
        decoder: what it computes.
        bits: of the linear maps' weights, 4 or 8; none: float32. The embedding is then int8, a scale a row.
        block: inputs that share a scale of 4-bit weights.
        keep: names of linear maps that stay float32.
    """
    build = _Builder(decoder, bits, block, set(keep))
    state, present = build.run()
    graph = build.graph
    pairs, size = 2 * len(decoder.layers), (decoder.kv_heads, decoder.head_dim)
    inputs = [
        helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "length"]),
        helper.make_tensor_value_info("last", TensorProto.INT64, ["batch"]),
        helper.make_tensor_value_info("past", TensorProto.FLOAT, [pairs, "batch", size[0], "before", size[1]]),
    ]
    outputs = [
        helper.make_tensor_value_info(state, TensorProto.FLOAT, ["batch", decoder.hidden]),
        helper.make_tensor_value_info(present, TensorProto.FLOAT, [pairs, "batch", size[0], "length", size[1]]),
    ]
    body = helper.make_graph(graph.nodes, "decoder", inputs, outputs, list(graph.constants.values()))
    opsets = [helper.make_opsetid("", OPSET), *([helper.make_opsetid(MICROSOFT, 1)] if bits else [])]
    # The version of the file format that came with this opset; runtimes refuse newer ones than they know.
    return helper.make_model(body, opset_imports=opsets, producer_name="goldsmith", ir_version=10)


class _Builder:
    def __init__(self, decoder: Decoder, bits: int | None, block: int, keep: set[str]) -> None:
        self.graph, self.decoder = Graph(), decoder
        self.bits, self.block, self.keep = bits, block, keep
        self.rounded: dict[str, tuple[str, str]] = {}
        self.cosine = self.graph.constant(decoder.cosine, "rotary.cosine")
        self.sine = self.graph.constant(decoder.sine, "rotary.sine")

    def run(self) -> tuple[str, str]:
        """Build the whole and return the names of its outputs."""
        op, ints = self.graph.op, self.graph.ints
        shape = op("Shape", "input_ids")
        self.batch = op("Slice", shape, ints(0), ints(1))
        length = op("Squeeze", op("Slice", shape, ints(1), ints(2)))
        before = op("Squeeze", op("Slice", op("Shape", "past"), ints(3), ints(4)))
        zero, one = self.graph.constant(np.array(0, np.int64)), self.graph.constant(np.array(1, np.int64))
        total = op("Add", before, length)
        self.keys = op("Range", zero, total, one)
        row = op("Range", before, total, one)
        self.positions = op("Expand", op("Unsqueeze", row, ints(0)), shape)
        self.last = op("Unsqueeze", "last", ints(1))
        self.last_positions = op("Add", self.last, before)
        mask = op("LessOrEqual", self.keys, op("Unsqueeze", row, ints(1)))
        last_mask = op("LessOrEqual", self.keys, op("Unsqueeze", self.last_positions, ints(1, 2)))
        states, presents = self._embedded(), []
        layers = self.decoder.layers
        for index, layer in enumerate(layers):
            is_last = index == len(layers) - 1
            states, pair = self._layer(states, layer, index, last_mask if is_last else mask, is_last)
            presents += pair
        state = op("Squeeze", self._norm(states, self.decoder.norm, "norm"), ints(1))
        stacked = op("Concat", *(op("Unsqueeze", part, ints(0)) for part in presents), axis=0)
        return self._named(state, "state"), self._named(stacked, "present")

    def _named(self, value: str, name: str) -> str:
        self.graph.nodes.append(helper.make_node("Identity", [value], [name]))
        return name

    def _embedded(self) -> str:
        op, table = self.graph.op, self.decoder.embedding
        if self.bits is None:
            return str(op("Gather", self.graph.constant(table, "embedding"), "input_ids"))
        small = quantize(table, bits=8)
        rows = op("Gather", self.graph.constant(small.values[:, 0], "embedding"), "input_ids")
        scale = op("Gather", self.graph.constant(small.scale, "embedding.scale"), "input_ids")
        return str(op("Mul", op("Cast", rows, to=TensorProto.FLOAT), scale))

    def _layer(self, states: str, layer: Layer, index: int, mask: str, is_last: bool) -> tuple[str, list[str]]:
        op, decoder = self.graph.op, self.decoder
        past = [op("Gather", "past", self.graph.constant(np.array(2 * index + part, np.int64)), axis=0) for part in (0, 1)]
        normed = self._norm(states, layer.input_norm, f"layers.{index}.input_norm")
        key = self._heads(self._linear(normed, layer.key), decoder.kv_heads)
        value = self._heads(self._linear(normed, layer.value), decoder.kv_heads)
        positions = self.positions
        key = self._rotated(self._head_norm(key, layer.k_norm, f"layers.{index}.k_norm"), positions)
        if is_last:
            states, normed, positions = self._read(states), self._read(normed), self.last_positions
        query = self._heads(self._linear(normed, layer.query), decoder.heads)
        query = self._rotated(self._head_norm(query, layer.q_norm, f"layers.{index}.q_norm"), positions)
        keys, values = (op("Concat", old, new, axis=2) for old, new in zip(past, (key, value), strict=True))
        mixed = op("Attention", query, keys, values, mask, scale=decoder.scale)
        flat = op("Reshape", op("Transpose", mixed, perm=[0, 2, 1, 3]), self.graph.ints(0, 0, -1))
        states = op("Add", states, self._linear(flat, layer.output))
        normed = self._norm(states, layer.post_norm, f"layers.{index}.post_norm")
        gate = self._linear(normed, layer.gate)
        inner = op("Mul", op("Mul", gate, op("Sigmoid", gate)), self._linear(normed, layer.up))
        return op("Add", states, self._linear(inner, layer.down)), [key, value]

    def _read(self, states: str) -> str:
        """Keep of each sequence the token that is read: [B, L, D] to [B, 1, D]."""
        op = self.graph.op
        return str(op("Unsqueeze", op("GatherND", states, self.last, batch_dims=1), self.graph.ints(1)))

    def _norm(self, states: str, weight: Any, name: str) -> str:
        return str(
            self.graph.op(
                "RMSNormalization", states, self.graph.constant(weight, name), axis=-1, epsilon=self.decoder.eps, stash_type=1
            )
        )

    def _head_norm(self, states: str, weight: Any, name: str) -> str:
        return states if weight is None else self._norm(states, weight, name)

    def _heads(self, states: str, heads: int) -> str:
        op = self.graph.op
        return str(op("Transpose", op("Reshape", states, self.graph.ints(0, 0, heads, -1)), perm=[0, 2, 1, 3]))

    def _rotated(self, states: str, positions: str) -> str:
        return str(self.graph.op("RotaryEmbedding", states, self.cosine, self.sine, positions))

    def _linear(self, states: str, linear: Linear) -> str:
        op, graph = self.graph.op, self.graph
        if self.bits is None or linear.name in self.keep:
            found = op("MatMul", states, graph.constant(linear.weight.T, linear.name))
        else:
            found = self._by_tokens(states, linear) if self.bits == 8 else self._by_blocks(states, linear, self.bits)
        if linear.bias is not None:
            found = op("Add", found, graph.constant(linear.bias, f"{linear.name}.bias"))
        return str(found)

    def _by_tokens(self, states: str, linear: Linear) -> str:
        """Multiply integers: activations of 8 bits with a scale a token, weights with a scale an output channel."""
        op, graph = self.graph.op, self.graph
        whole, scale = self._rounded(states)
        small = quantize(linear.weight, bits=WEIGHT_BITS)
        weight = graph.constant(small.values[:, 0].T, linear.name)
        sums = op("MatMulInteger", whole, weight, graph.constant(np.array(_MIDDLE, np.uint8), "middle"))
        by_channel = graph.constant(small.scale[:, 0], f"{linear.name}.scale")
        return str(op("Mul", op("Mul", op("Cast", sums, to=TensorProto.FLOAT), scale), by_channel))

    def _rounded(self, states: str) -> tuple[str, str]:
        """Return activations as unsigned bytes, and their scale [B, L, 1]; those that several linear maps read are rounded once."""
        if states not in self.rounded:
            op, number = self.graph.op, self.graph.number
            most = op("ReduceMax", op("Abs", states), self.graph.ints(-1), keepdims=1)
            scale = op("Mul", op("Max", most, number(1e-20)), number(1 / _MOST))
            around = op("Add", op("Round", op("Div", states, scale)), number(_MIDDLE))
            self.rounded[states] = op("Cast", around, to=TensorProto.UINT8), scale
        return self.rounded[states]

    def _by_blocks(self, states: str, linear: Linear, bits: int) -> str:
        small, graph = quantize(linear.weight, bits=bits, block=self.block), self.graph
        # Unsigned with the zero point in the middle, which MatMulNBits takes where none is given; two 4-bit values a byte, low first.
        shifted = (small.values.astype(np.int16) + 2 ** (bits - 1)).astype(np.uint8)
        if bits == 4:
            shifted = shifted[:, :, 0::2] | (shifted[:, :, 1::2] << 4)
        rows, columns = linear.weight.shape
        return str(
            graph.op(
                "MatMulNBits",
                states,
                graph.constant(shifted, linear.name),
                graph.constant(small.scale.ravel(), f"{linear.name}.scale"),
                domain=MICROSOFT,
                K=columns,
                N=rows,
                bits=bits,
                block_size=self.block,
                accuracy_level=_INT_BY_ROW,
            )
        )
