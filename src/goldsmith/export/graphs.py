"""Writing a decoder's graph and its head for ONNX Runtime or OpenVINO."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from goldsmith.errors import UserError
from goldsmith.export.decoder import Decoder, read_decoder
from goldsmith.export.quantize import kept_float
from goldsmith.export.targets import Way
from goldsmith.reward.manifest import HEAD_FILE
from goldsmith.reward.runtimes import FILES

if TYPE_CHECKING:
    from goldsmith.reward.model import RewardModel

ONNX_BLOCK = 64
"""Inputs that share a scale of 4-bit weights in ONNX Runtime, and of each token's activations there."""
OPENVINO_BLOCK = 32
"""The same in OpenVINO. 8-bit weights have a scale an output channel everywhere."""
_BITS = {"int8": 8, "int4": 4}
_STORED = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16", "int8": "int8", "int4": "int4"}


def write_graph(model: RewardModel, folder: Path, way: Way, ignore: tuple[str, ...]) -> list[str]:
    """Write graph, weights and head of a model loaded in float32; return the names of the linear maps that stayed in float.

    Raises:
        UserError: see `read_decoder`; a pattern of `ignore` matches nothing; the runtime's package is not installed.
    """
    decoder = read_decoder(model.trunk, model.renderer.max_length)
    keep = sorted(kept_float([linear.name for linear in decoder.linears], ignore))
    try:
        (_write_onnx if way.target == "onnx" else _write_openvino)(decoder, folder, way, keep)
    except ModuleNotFoundError as error:
        raise UserError(f"--to {way.target} needs the package {error.name}; install goldsmith[export]") from None
    write_head(model, folder)
    return keep


def write_head(model: RewardModel, folder: Path) -> None:
    """Write the model's own head, float32, with its bias."""
    import torch
    from safetensors.torch import save_file

    head = model.classifier.score
    bias = torch.zeros(1) if head.bias is None else head.bias.detach().float().reshape(1)
    save_file({"weight": head.weight.detach().float().reshape(-1).contiguous(), "bias": bias.contiguous()}, folder / HEAD_FILE)


def _write_onnx(decoder: Decoder, folder: Path, way: Way, keep: list[str]) -> None:
    import onnx

    from goldsmith.export.onnx_graph import onnx_decoder

    graph = onnx_decoder(decoder, bits=_BITS.get(way.dtype), block=ONNX_BLOCK, keep=keep)
    name, weights = FILES["onnx"]
    onnx.save(graph, str(folder / name), save_as_external_data=True, location=weights, size_threshold=1024)


def _write_openvino(decoder: Decoder, folder: Path, way: Way, keep: list[str]) -> None:
    import openvino

    from goldsmith.export.openvino_graph import openvino_decoder

    graph = openvino_decoder(decoder, weights=_STORED[way.dtype], block=OPENVINO_BLOCK, keep=keep)
    openvino.save_model(graph, folder / FILES["openvino"][0], compress_to_fp16=False)
