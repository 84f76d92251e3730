from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from goldsmith.cli.main import run
from goldsmith.reward import RewardModel
from goldsmith.reward.tiny import write_tiny_model

ROWS = [{"prompt": f"Say {n}.", "chosen": f"{n}, please", "rejected": f"no {n}"} for n in range(12)]


@pytest.fixture(scope="module")
def tiny_rm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("tiny-rm"), seed=4, num_labels=1)


def _write(path: Path, rows: list[dict]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_calibrate_then_score(tiny_rm: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pairs, out = _write(tmp_path / "gold.jsonl", ROWS), tmp_path / "scored.jsonl"
    assert run(["score", str(tiny_rm), str(pairs), "-o", str(tmp_path / "before.jsonl")]) == 0
    assert "probabilities are uncalibrated; `goldsmith models calibrate MODEL PAIRS`" in capsys.readouterr().out
    assert run(["models", "calibrate", str(tiny_rm), str(pairs), "--json"]) == 0
    temperature = json.loads(capsys.readouterr().out)["temperature"]
    assert run(["score", str(tiny_rm), str(pairs), "-o", str(out)]) == 0
    assert "uncalibrated" not in capsys.readouterr().out
    for text in out.read_text().splitlines():
        line = json.loads(text)
        assert line["p_chosen"] == pytest.approx(1 / (1 + math.exp(-line["margin"] / temperature)))


def test_too_few_pairs_to_calibrate(tiny_rm: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "calibrate", str(tiny_rm), str(_write(tmp_path / "few.jsonl", ROWS[:3]))]) == 1
    assert "few.jsonl: 3 pairs with a preference" in capsys.readouterr().err


def test_calibration_leaves_out_what_the_template_refuses(
    tiny_rm: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shutil.copytree(tiny_rm, tmp_path / "strict")
    template = (folder / "chat_template.jinja").read_text()
    refusal = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system turns') }}{% endif %}"
    (folder / "chat_template.jinja").write_text(refusal + template)
    system = {**ROWS[0], "prompt": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Say 1."}]}
    path = _write(tmp_path / "gold.jsonl", [*ROWS, system, {"odd": 1}])
    assert run(["models", "calibrate", str(folder), str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["num_pairs"], found["rejected_rows"]) == (12, 2)


def test_truncation_and_failures_are_told(tiny_rm: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"prompt": "long " * 40, "replies": ["a", ""]}, {"prompt": "hi", "replies": ["", ""]}]
    path = _write(tmp_path / "lists.jsonl", rows)
    arguments = ["score", str(tiny_rm), str(path), "-o", str(tmp_path / "out.jsonl"), "--max-length", "64"]
    assert run(arguments) == 3
    told = capsys.readouterr().out
    assert "1 rows scored, 1 failed (cannot-be-scored 1; `detail` in their lines says why)" in told
    assert "1 replies of scored rows have no score" in told
    assert "1 conversations were longer than 64 tokens and lost their left end" in told


def test_convert(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_tiny_model(tmp_path / "source", seed=1)
    weights = {**load_file(source / "model.safetensors"), "v_head.summary.weight": torch.ones(1, 32)}
    save_file(weights, source / "model.safetensors", {"format": "pt"})
    assert run(["score", str(source), str(_write(tmp_path / "p.jsonl", ROWS)), "-o", str(tmp_path / "out.jsonl")]) == 1
    assert "goldsmith models convert" in capsys.readouterr().err
    assert run(["models", "convert", str(source), "--out", str(tmp_path / "rm")]) == 0
    assert "LlamaForSequenceClassification, head from v_head.summary.weight" in capsys.readouterr().out
    assert len(RewardModel.load(tmp_path / "rm").score_replies([{"role": "user", "content": "hi"}], ["a", "b"])) == 2
