"""The deployment table, on a tiny model: its rows are complete, or say why they are empty."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import goldsmith.export.bench as bench
from goldsmith.cli.bench_deploy import told
from goldsmith.errors import UserError
from goldsmith.reward.checkpoint import choose_dtype

LENGTHS = (16, 24, 32)


def test_every_way_has_its_row_and_exports_are_used_again(qwen: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime")
    ways = ("torch fp32", "torch bf16", "onnx fp32")
    rows = {row.way: row for row in bench.bench_deploy(qwen, tmp_path, only=ways, lengths=LENGTHS, repeats=2, max_pairs=2)}
    assert list(rows) == list(ways)
    if choose_dtype("auto", torch.device("cpu")) is not torch.bfloat16:
        assert rows["torch bf16"].reason == "no bf16 arithmetic on this processor"
    for way in ("torch fp32", "onnx fp32"):
        row = rows[way]
        assert (set(row.p50), set(row.p95)) == (set(LENGTHS), set(LENGTHS))
        assert all(0 < row.p50[length] <= row.p95[length] for length in LENGTHS)
        assert row.tokens_per_s == pytest.approx(24 / row.p50[24])
        assert row.bytes > 0
        assert row.memory > row.bytes
        assert row.threads >= 1
    # The original changes no decision of its own; what an export changes is its parity report's.
    assert (rows["torch fp32"].changed, rows["onnx fp32"].changed, rows["onnx fp32"].pairs) == (None, 0.0, 2)
    table = told(list(rows.values()))
    assert "16 tokens p50 / p95" in table
    assert "0.0 % of 2" in table

    def again(*arguments: object, **settings: object) -> None:
        raise AssertionError("exported a second time")

    monkeypatch.setattr(bench, "export_model", again)
    (row,) = bench.bench_deploy(qwen, tmp_path, only=("onnx fp32",), lengths=(16,), repeats=1, max_pairs=2)
    assert row.p50


def test_ways_that_are_not_there_and_models_that_cannot_be_used_are_named(qwen: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="'torch int8': torch computes fp32 and bf16 here"):
        bench.bench_deploy(qwen, tmp_path, only=("torch int8",), max_pairs=1)
    with pytest.raises(UserError, match="no bfloat16 products"):
        bench.bench_deploy(qwen, tmp_path, only=("onnx bf16",), max_pairs=1)
