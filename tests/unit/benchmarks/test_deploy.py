"""The deployment benchmark: a few ways are no whole table, and an export that lost accuracy is told from one that did not."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[3] / "benchmarks"))

import deploy
from goldsmith.export.bench import LENGTHS, Row
from speed.table import Figure

ROW = Row(
    way="onnx int8", threads=2, bytes=27, p50=dict.fromkeys(LENGTHS, 0.25), changed=0.04, pairs=500, largest=0.3, spearman=0.99
)
BASE = Row(way="torch fp32", bytes=100, p50=dict.fromkeys(LENGTHS, 1.0))


def _judged(tmp_path: Path, row: Row, before: float, after: float) -> list[Figure]:
    folder = tmp_path / row.way.replace(" ", "-")
    folder.mkdir(exist_ok=True)
    told = {"accuracy_before": before, "accuracy_after": after}
    (folder / deploy.PARITY).write_text(json.dumps(told), encoding="utf-8")
    return deploy.judged([BASE, row], tmp_path)


def test_what_a_few_ways_or_another_model_gave_is_not_read_as_the_whole_table() -> None:
    names = [
        deploy.result_name("full", None, None),
        deploy.result_name("full", None, ["onnx int8"]),
        deploy.result_name("full", None, ["onnx int8", "onnx fp32"]),
        deploy.result_name("full", Path("models/mine"), None),
        deploy.result_name("check", None, None),
    ]
    assert len(set(names)) == 5
    assert deploy.result_name("full", None, ["onnx fp32", "onnx int8"]) == names[2]


def test_the_interval_of_the_change_in_accuracy() -> None:
    # 500 pairs, 20 changed: 8 became right and 12 wrong, so the mean is -0.008, the variance 0.04 - 0.000064 = 0.039936, and
    # 1.96 * sqrt(0.039936 / 500) = 0.017517; so no loss is shown. With 20 wrong: -0.04 + 1.96 * sqrt(0.0384 / 500) = -0.022823.
    assert deploy.gain_at_most(0.70, 0.692, 0.04, 500) == pytest.approx(0.009517, abs=1e-6)
    assert deploy.gain_at_most(0.70, 0.66, 0.04, 500) == pytest.approx(-0.022823, abs=1e-6)
    assert deploy.gain_at_most(0.70, 0.70, 0.0, 500) == 0.0


def test_a_way_that_lost_accuracy_misses_its_goal_on_enough_pairs_alone(tmp_path: Path) -> None:
    assert not [figure.name for figure in _judged(tmp_path, ROW, 0.70, 0.692) if figure.missed]
    lost = [figure.name for figure in _judged(tmp_path, ROW, 0.70, 0.66) if figure.missed]
    assert lost == ["onnx int8: accuracy after less before, upper end of the interval"]
    few = Row(**{name: getattr(ROW, name) for name in ROW.__slots__} | {"pairs": 30})
    assert not [figure.name for figure in _judged(tmp_path, few, 0.70, 0.60) if figure.missed]


def test_torch_bf16_has_no_export_and_int8_is_held_against_it(tmp_path: Path) -> None:
    half = Row(way="torch bf16", bytes=100, p50=dict.fromkeys(LENGTHS, 0.5))
    names = [figure.name for figure in deploy.judged([BASE, half], tmp_path)]
    assert names[-1] == "torch bf16, 1024 tokens: against torch fp32"
    folder = tmp_path / "openvino-int8"
    folder.mkdir()
    (folder / deploy.PARITY).write_text('{"accuracy_before": 0.7, "accuracy_after": 0.7}', encoding="utf-8")
    whole = Row(
        way="openvino int8", bytes=26, p50=dict.fromkeys(LENGTHS, 0.4), changed=0.0, pairs=500, largest=0.3, spearman=0.99
    )
    last = deploy.judged([BASE, half, whole], tmp_path)[-1]
    assert (last.name, last.value, last.missed) == ("openvino int8 against torch bf16, 512 tokens", pytest.approx(1.25), True)
