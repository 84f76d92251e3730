from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from goldsmith.config.reward import RewardConfig
from goldsmith.config.train import TrainConfig
from goldsmith.errors import UserError
from goldsmith.reward import RewardModel
from goldsmith.train import train_reward_model
from goldsmith.train.validation import Measured
from goldsmith.types import Pair

CONFIG = TrainConfig(
    method="full", epochs=3, batch_size=4, learning_rate=1e-3, checkpoint_steps=1, eval_steps=1, early_stopping_patience=2
)
HELD = [
    Pair.from_replies([{"role": "user", "content": f"Say {word}."}], f"{word}!", reply)
    for word in ("tan", "sky")
    for reply in ("no", "tin")
]


@pytest.fixture
def reading(tiny: Path, tmp_path: Path) -> RewardConfig:
    return RewardConfig(base=str(tiny), feature_cache=tmp_path / "features", token_budget=256, dtype="float32")


def _scripted(monkeypatch, found):
    values = iter(found)
    monkeypatch.setattr("goldsmith.train.validation.measure", lambda *_: Measured(*next(values)))


def _train(pairs, tiny, out, reading, config=CONFIG, **more):
    return train_reward_model(pairs, tiny, out, config, reading, seed=0, validation=HELD, **more)


# Accuracy rises, then at the same accuracy the loss falls (better), then two that are no better: stop after step 5, keep step 3.
FOUND = [(0.5, 0.7), (0.75, 0.7), (0.75, 0.6), (0.75, 0.6), (0.5, 0.1)]


def test_it_stops_when_patience_runs_out_and_the_best_state_comes_back(pairs, tiny, tmp_path, reading, monkeypatch):
    _scripted(monkeypatch, FOUND)
    result = _train(pairs, tiny, tmp_path / "rm", reading)
    assert (result.metrics["steps"], result.metrics["best_step"]) == (5, 3)
    monkeypatch.undo()
    # Three steps of the same schedule, and nothing else: the rate depends on all nine, so stop by a kill and look at the checkpoint.
    plain = CONFIG.model_copy(update={"eval_steps": None, "early_stopping_patience": None})

    def kill(done, total, unit, detail):
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _train(pairs, tiny, tmp_path / "plain", reading, plain, progress=kill)
    state = load_file(tmp_path / ".plain.work" / "checkpoint-3" / "state.safetensors")
    weights = load_file(result.path / "model.safetensors")
    for name, value in weights.items():
        assert torch.equal(value, state[f"weights/classifier.{name}"]), name


def test_a_run_killed_after_it_had_stopped_does_not_train_on(pairs, tiny, tmp_path, reading, monkeypatch):
    _scripted(monkeypatch, FOUND)
    whole = _train(pairs, tiny, tmp_path / "whole", reading)
    _scripted(monkeypatch, FOUND)
    with monkeypatch.context() as context:
        context.setattr("goldsmith.train.validation.Validate.restore_best", lambda self: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            _train(pairs, tiny, tmp_path / "rm", reading)
    seen = []
    again = _train(pairs, tiny, tmp_path / "rm", reading, progress=lambda done, *_: seen.append(done))
    assert not seen
    assert (again.path / "metrics.jsonl").read_text() == (whole.path / "metrics.jsonl").read_text()
    assert (again.path / "model.safetensors").read_bytes() == (whole.path / "model.safetensors").read_bytes()


def test_what_is_measured_is_what_the_saved_model_scores(pairs, tiny, tmp_path, reading):
    import json

    config = CONFIG.model_copy(update={"eval_steps": 9, "early_stopping_patience": None})
    result = _train(pairs, tiny, tmp_path / "rm", reading, config)
    rows = [json.loads(line) for line in (result.path / "metrics.jsonl").read_text().splitlines()]
    scores = RewardModel.load(result.path, dtype="float32").score_pairs(HELD)
    margins = torch.tensor([a - b if pair.label == "first" else b - a for pair, (a, b) in zip(HELD, scores, strict=True)])
    assert [row["step"] for row in rows if "loss" in row] == list(range(1, 10))
    assert rows[-1]["validation_accuracy"] == float((margins > 0).float().mean()) == result.metrics["validation_accuracy"]
    assert rows[-1]["validation_loss"] == pytest.approx(float(torch.log1p(torch.exp(-margins)).mean()), rel=1e-4)


def test_in_bfloat16_too_the_weights_after_the_step_are_measured(pairs, tiny, tmp_path, reading):
    import json

    config = CONFIG.model_copy(
        update={
            "eval_steps": 3,
            "early_stopping_patience": None,
            "precision": "bf16-master32",
            "learning_rate": 0.02,
            "epochs": 1,
        }
    )
    result = _train(pairs, tiny, tmp_path / "rm", reading, config)
    scores = RewardModel.load(result.path, dtype="float32").score_pairs(HELD)
    margins = torch.tensor([a - b if pair.label == "first" else b - a for pair, (a, b) in zip(HELD, scores, strict=True)])
    row = json.loads((result.path / "metrics.jsonl").read_text().splitlines()[-1])
    # A step of this size moves the loss by far more than bfloat16 does.
    assert row["validation_loss"] == pytest.approx(float(torch.nn.functional.softplus(-margins).mean()), rel=0.05)


def test_contexts_of_validation_pairs_are_not_trained_on(pairs, tiny, tmp_path, reading):
    metrics = train_reward_model(
        pairs, tiny, tmp_path / "rm", TrainConfig(method="head", bootstrap_heads=0), reading, seed=0, validation=pairs[:1]
    ).metrics
    # The first pair's context holds two of the twelve.
    assert (metrics["num_pairs"], metrics["dropped"], metrics["validation_pairs"]) == (10, {"validation-context": 2}, 1)


def test_measuring_without_pairs_is_refused(pairs, tiny, tmp_path, reading):
    with pytest.raises(UserError, match="need validation pairs that are no ties; give them with --validation"):
        train_reward_model(pairs, tiny, tmp_path / "rm", CONFIG, reading, seed=0)
