from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from goldsmith.config.reward import RewardConfig
from goldsmith.config.train import LoraConfig, TrainConfig
from goldsmith.errors import StoreError, UserError
from goldsmith.identity import file_digest
from goldsmith.train import train_reward_model
from goldsmith.train.checkpoints import check_checkpoint, choose_checkpoint, list_checkpoints, read_checkpoint, write_checkpoint
from goldsmith.types import Pair

CONFIG = TrainConfig(
    method="full", epochs=3, batch_size=4, learning_rate=1e-3, checkpoint_steps=2, eval_steps=3, warmup_ratio=0.3
)
HELD = [Pair.from_replies([{"role": "user", "content": "Say tan."}], "tan, please!", reply) for reply in ("tan", "no")]


@pytest.fixture
def reading(tiny: Path, tmp_path: Path) -> RewardConfig:
    return RewardConfig(base=str(tiny), feature_cache=tmp_path / "features", token_budget=256)


def _train(pairs, tiny, out, reading, config=CONFIG, **more):
    return train_reward_model(pairs, tiny, out, config, reading, seed=0, validation=HELD, **more)


def _kill_at(step):
    def progress(done, total, unit, detail):
        if done == step:
            raise KeyboardInterrupt

    return progress


def _result(path: Path) -> tuple[dict[str, torch.Tensor], str]:
    return load_file(path / "model.safetensors"), (path / "metrics.jsonl").read_text()


def _assert_same(path: Path, other: Path) -> None:
    (weights, series), (expected, expected_series) = _result(path), _result(other)
    assert series == expected_series
    assert weights.keys() == expected.keys()
    assert all(torch.equal(value, expected[name]) for name, value in weights.items())


KILLED = """
import json, os, signal, sys
from pathlib import Path
from goldsmith.config.reward import RewardConfig
from goldsmith.config.train import TrainConfig
from goldsmith.train import train_reward_model
from goldsmith.types import Pair

facts = json.loads(sys.argv[1])

def progress(done, total, unit, detail):
    if done == facts["kill_at"]:
        os.kill(os.getpid(), signal.SIGKILL)

train_reward_model(
    [Pair.model_validate(row) for row in facts["pairs"]], facts["base"], Path(facts["out"]), TrainConfig(**facts["config"]),
    RewardConfig(**facts["reading"]), seed=0, validation=[Pair.model_validate(row) for row in facts["held"]], progress=progress,
)
"""


@pytest.mark.parametrize(
    ("config", "steps"),
    [
        # Before the first checkpoint, at the step of one, after one and a validation.
        (CONFIG, (1, 4, 7)),
        (
            CONFIG.model_copy(update={"method": "lora", "lora": LoraConfig(rank=4, last_layers=2), "precision": "bf16-master32"}),
            (5,),
        ),
    ],
    ids=["full", "lora-bf16"],
)
def test_killed_at_any_step_the_series_and_the_weights_are_those_of_an_unbroken_run(
    pairs, tiny, tmp_path, reading, config, steps
):
    whole = _train(pairs, tiny, tmp_path / "whole", reading, config).path
    facts = {
        "pairs": [pair.model_dump() for pair in pairs],
        "held": [pair.model_dump() for pair in HELD],
        "base": str(tiny),
        "out": str(tmp_path / "rm"),
        "config": config.model_dump(mode="json"),
        "reading": reading.model_dump(mode="json"),
    }
    for step in steps:
        child = subprocess.run(
            [sys.executable, "-c", KILLED, json.dumps({**facts, "kill_at": step})], env=os.environ, check=False
        )
        assert child.returncode == -signal.SIGKILL
        assert not (tmp_path / "rm").exists()
    assert [path.name for path in list_checkpoints(tmp_path / ".rm.work")] == [
        f"checkpoint-{step}" for step in ((4, 6) if steps[-1] == 7 else (2, 4))
    ]
    _assert_same(_train(pairs, tiny, tmp_path / "rm", reading, config).path, whole)
    assert not (tmp_path / ".rm.work").exists()


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOSPC, "No space left on device"), SafetensorError("I/O error: No space left on device (os error 28)")],
)
def test_a_full_disk_during_a_checkpoint_leaves_the_last_good_one(pairs, tiny, tmp_path, reading, monkeypatch, error):
    whole = _train(pairs, tiny, tmp_path / "whole", reading).path
    written = []

    def full(tensors, path, *args):
        if written and "checkpoint" in str(path):
            Path(path).write_bytes(b"the first half")
            raise error
        if "checkpoint" in str(path):
            written.append(path)
        save_file(tensors, path, *args)

    monkeypatch.setattr("safetensors.torch.save_file", full)
    with pytest.raises(StoreError, match="no space left on the disk; nothing that was there is lost"):
        _train(pairs, tiny, tmp_path / "rm", reading)
    monkeypatch.undo()
    work = tmp_path / ".rm.work"
    assert [path.name for path in list_checkpoints(work)] == ["checkpoint-2"]
    assert check_checkpoint(work / "checkpoint-2") == ""
    assert not list(work.glob(".tmp-*"))
    _assert_same(_train(pairs, tiny, tmp_path / "rm", reading).path, whole)


def test_a_full_disk_while_the_model_is_written_leaves_the_checkpoints(pairs, tiny, tmp_path, reading, monkeypatch):
    def full(*args, **options):
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("transformers.modeling_utils.safe_save_file", full)
    with pytest.raises(StoreError, match="rm: no space left on the disk"):
        _train(pairs, tiny, tmp_path / "rm", reading)
    assert not (tmp_path / "rm").exists()
    assert check_checkpoint(tmp_path / ".rm.work" / "checkpoint-8") == ""


def _flip_a_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)


def test_a_corrupt_checkpoint_is_refused_and_passed_over_on_request(pairs, tiny, tmp_path, reading):
    whole = _train(pairs, tiny, tmp_path / "whole", reading).path
    with pytest.raises(KeyboardInterrupt):
        _train(pairs, tiny, tmp_path / "rm", reading, progress=_kill_at(7))
    work = tmp_path / ".rm.work"
    _flip_a_byte(work / "checkpoint-6" / "state.safetensors")
    with pytest.raises(
        UserError, match=r"checkpoint-6: the checkpoint is corrupt \(state.safetensors is not what was written\).*--resume intact"
    ):
        _train(pairs, tiny, tmp_path / "rm", reading)
    seen = []
    again = _train(
        pairs, tiny, tmp_path / "rm", reading, resume="intact", progress=lambda done, total, unit, detail: seen.append(done)
    )
    assert seen[0] == 5
    _assert_same(again.path, whole)


def test_when_every_checkpoint_is_corrupt_only_a_restart_helps(pairs, tiny, tmp_path, reading):
    whole = _train(pairs, tiny, tmp_path / "whole", reading).path
    with pytest.raises(KeyboardInterrupt):
        _train(pairs, tiny, tmp_path / "rm", reading, progress=_kill_at(5))
    for path in list_checkpoints(tmp_path / ".rm.work"):
        (path / "manifest.json").write_text("{")
    with pytest.raises(UserError, match="none of its 2 checkpoints is intact; `--resume restart`"):
        _train(pairs, tiny, tmp_path / "rm", reading, resume="intact")
    seen = []
    _train(pairs, tiny, tmp_path / "rm", reading, resume="restart", progress=lambda done, total, unit, detail: seen.append(done))
    assert seen[0] == 1
    _assert_same(tmp_path / "rm", whole)


def test_a_checkpoint_with_weights_of_another_shape_is_refused(pairs, tiny, tmp_path, reading):
    with pytest.raises(KeyboardInterrupt):
        _train(pairs, tiny, tmp_path / "rm", reading, progress=_kill_at(3))
    folder = tmp_path / ".rm.work" / "checkpoint-2"
    tensors = load_file(folder / "state.safetensors")
    name = "weights/classifier.model.layers.0.mlp.up_proj.weight"
    save_file({**tensors, name: tensors[name][:, :-1].contiguous()}, folder / "state.safetensors")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["state.safetensors"] = file_digest(folder / "state.safetensors")
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(UserError, match=r"up_proj.weight has shape \[64, 31\], this model's has \[64, 32\]"):
        _train(pairs, tiny, tmp_path / "rm", reading)


def test_what_is_written_is_read_and_every_damage_is_found(tmp_path):
    folder = tmp_path / "checkpoint-3"
    write_checkpoint(folder, {"weights/one": torch.arange(3.0)}, {"step": 3}, [{"step": 1, "loss": 0.1}])
    saved = read_checkpoint(folder)
    assert torch.equal(saved.tensors["weights/one"], torch.arange(3.0))
    assert saved.facts == {"step": 3}
    for name in ("state.safetensors", "facts.json", "metrics.jsonl"):
        kept = (folder / name).read_bytes()
        _flip_a_byte(folder / name)
        assert check_checkpoint(folder) == f"{name} is not what was written"
        (folder / name).unlink()
        assert check_checkpoint(folder) == f"{name} is missing"
        (folder / name).write_bytes(kept)
    assert check_checkpoint(folder) == ""
    assert choose_checkpoint(tmp_path, "last") == folder
    assert choose_checkpoint(tmp_path / "nowhere", "last") is None


def test_only_the_newest_checkpoints_stay(pairs, tiny, tmp_path, reading):
    with pytest.raises(KeyboardInterrupt):
        _train(
            pairs,
            tiny,
            tmp_path / "rm",
            reading,
            CONFIG.model_copy(update={"checkpoint_steps": 1, "keep_checkpoints": 3}),
            progress=_kill_at(8),
        )
    assert [path.name for path in list_checkpoints(tmp_path / ".rm.work")] == [f"checkpoint-{step}" for step in (5, 6, 7)]
    assert len(list_checkpoints(tmp_path / ".rm.work", "best")) == 1
