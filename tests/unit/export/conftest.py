from __future__ import annotations

from pathlib import Path

import pytest

from goldsmith.export.export import ExportOptions, Original, export_model
from goldsmith.export.pairs import parity_pairs
from goldsmith.reward.tiny import write_tiny_model


@pytest.fixture(scope="session")
def qwen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random Qwen3 reward model that reads 16,384 tokens."""
    return write_tiny_model(
        tmp_path_factory.mktemp("exported") / "qwen", seed=6, family="qwen3", num_labels=1, max_positions=16_384, num_layers=2
    )


@pytest.fixture(scope="session")
def original(qwen: Path) -> Original:
    """What it gives for a few of the shipped pairs."""
    return Original(qwen, *parity_pairs(None, 8))


@pytest.fixture(scope="session")
def exported(qwen: Path, original: Original, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Its exports by way."""
    pytest.importorskip("onnxruntime")
    pytest.importorskip("openvino")
    folder = tmp_path_factory.mktemp("exports")
    found = {}
    for way in ("onnx fp32", "onnx int8", "onnx int4", "openvino fp32", "openvino bf16", "openvino int8", "hf int8", "hf bf16"):
        target, dtype = way.split()
        out = folder / way.replace(" ", "-")
        export_model(qwen, out, target=target, dtype=dtype, options=ExportOptions(force=True), original=original)
        found[way] = out
    return found
