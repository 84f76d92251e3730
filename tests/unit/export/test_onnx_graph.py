"""The ONNX graph of integers, read from its own constants."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest


def test_no_product_of_bytes_saturates(exported: dict[str, Path]) -> None:
    """Seen with 8-bit weights on AVX2: nearly all sums were wrong, as 255 * 127 * 2 = 64,770 does not fit into 16 signed bits."""
    onnx = pytest.importorskip("onnx")
    graph = onnx.load(str(exported["onnx int8"] / "model.onnx")).graph
    constants = {constant.name: onnx.numpy_helper.to_array(constant) for constant in graph.initializer}
    products = [node for node in graph.node if node.op_type == "MatMulInteger"]
    assert len(products) == 2 * 7
    for node in products:
        weight = constants[node.input[1]]
        assert weight.dtype == np.int8
        assert 255 * 2 * int(np.abs(weight.astype(int)).max()) <= 2**15 - 1


def test_what_several_maps_read_is_rounded_once(exported: dict[str, Path]) -> None:
    onnx = pytest.importorskip("onnx")
    nodes = onnx.load(str(exported["onnx int8"] / "model.onnx"), load_external_data=False).graph.node
    # Each layer rounds before its keys and values, its output, its gate, its down projection; the last one reads its query from one token.
    assert sum(node.op_type == "Round" for node in nodes) == 4 + 5
