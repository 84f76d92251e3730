"""Two processes train what one does: the same losses, the same weights, the same checkpoints, and they fail together.

Why the tolerances: two processes add the same float32 numbers in another order than one. A reward here is about 16 at most, where
neighbouring float32 numbers lie 2e-6 apart, so ten roundings are 2e-5 of loss, and fifty 1e-4 of a mean reward. A weight is moved by AdamW, which divides by the gradient's
size: where that is rounding alone, a step of the learning rate (1e-3) may go either way. No such element is allowed here: 1e-5 is 1 % of
one step. Averages of gradients agree to a thousandth, where a mean in place of a sum would halve them.
"""

from __future__ import annotations

import json
import math
import os
import runpy
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

from goldsmith.reward import RewardModel
from goldsmith.train.checkpoints import list_checkpoints, read_checkpoint

WORKER = Path(__file__).with_name("distributed_worker.py")
KINDS, CASES = ["zero1", "fsdp2"], ["lora", "full", "validated"]
EARLY, EARLY_LOSS, MIXED_LOSS = 7, 0.05, 0.1
"""How far the first losses in bfloat16 may each be off, and all of them in root mean square: rewards of about 16 are read from states with
8 bits, and errors of 14 steps add up, so that a single late loss may be off by a quarter."""
SECONDS = 900
"""After this the processes are taken to be stuck; on an idle machine they need a thirtieth of it."""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def environment(**more: str) -> dict[str, str]:
    source = str(Path(__file__).parents[3] / "src")
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": source, "TOKENIZERS_PARALLELISM": "false", **more}


@pytest.fixture(scope="module")
def worker() -> SimpleNamespace:
    return SimpleNamespace(**runpy.run_path(str(WORKER)))


@pytest.fixture(scope="module")
def alone(worker, tiny, tmp_path_factory) -> Path:
    """What one process makes of the cases, and an unfinished training."""
    folder = tmp_path_factory.mktemp("alone")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as the processes have: sums in another order are other sums
    try:
        for name in [*CASES, "mixed"]:
            worker.train(tiny, folder / name, getattr(worker, name.upper()))
        with worker.stopped_after(4), pytest.raises(KeyboardInterrupt):
            worker.train(tiny, folder / "taken", worker.FULL)
    finally:
        torch.set_num_threads(threads)
    return folder


@pytest.fixture(scope="module")
def together(alone, worker, tiny, tmp_path_factory) -> Path:
    """What two processes make of them."""
    folder = tmp_path_factory.mktemp("together")
    for kind in KINDS:
        shutil.copytree(alone / ".taken.work", folder / f".{kind}-taken.work")
    port = str(free_port())
    processes = [
        subprocess.Popen(
            [sys.executable, str(WORKER), str(folder), str(tiny)],
            env=environment(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT=port),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for rank in range(2)
    ]
    try:
        said = [process.communicate(timeout=SECONDS)[0].decode() for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, worker.DEATH], "\n".join(said)
    return folder


def _ended(folder: Path, name: str) -> list[dict]:
    return [json.loads((folder / f"{name}.{rank}.json").read_text()) for rank in range(2)]


def _rows(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def _but(row: dict, names: list[str]) -> dict:
    return {name: value for name, value in row.items() if name not in names}


def _same_model(found: Path, expected: Path) -> None:
    rows, expected_rows = _rows(found), _rows(expected)
    assert [row.keys() for row in rows] == [row.keys() for row in expected_rows]
    assert len(rows) > 1
    for row, other in zip(rows, expected_rows, strict=True):
        means = [name for name in ("margin_mean", "reward_mean") if name in row]
        # What both rewards of a pair have in common is held by no loss, so rounding adds up in it.
        assert [row[name] for name in means] == pytest.approx([other[name] for name in means], rel=2e-4, abs=2e-4)
        assert _but(row, means) == pytest.approx(_but(other, means), rel=1e-5, abs=2e-5)
    weights, expected_weights = (load_file(folder / "model.safetensors") for folder in (found, expected))
    assert weights.keys() == expected_weights.keys()
    for name, value in weights.items():
        torch.testing.assert_close(
            value, expected_weights[name], rtol=1e-4, atol=1e-5, msg=lambda text, name=name: f"{name}: {text}"
        )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", CASES)
def test_two_processes_make_the_model_that_one_makes(kind, name, alone, together):
    assert [end["error"] for end in _ended(together, f"{kind}-{name}")] == [None, None]
    _same_model(together / f"{kind}-{name}", alone / name)
    # A step of one context's two pairs is one unit: one of the processes had nothing to do.
    assert min(row["pairs"] for row in _rows(alone / name) if "pairs" in row) == 2
    assert not (together / f".{kind}-{name}.work").exists()
    card = json.loads((together / f"{kind}-{name}" / "goldsmith.json").read_text())
    assert card["metrics"]["processes"] == 2
    turns = [[{"role": "user", "content": "Say red."}, {"role": "assistant", "content": "red, please!"}]]
    expected = RewardModel.load(alone / name, dtype="float32").score(turns)
    assert RewardModel.load(together / f"{kind}-{name}", dtype="float32").score(turns) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_compute_in_bfloat16_as_one_does(kind, alone, together):
    assert [end["error"] for end in _ended(together, f"{kind}-mixed")] == [None, None]
    found, expected, exact = (_rows(folder) for folder in (together / f"{kind}-mixed", alone / "mixed", alone / "full"))
    apart = [row["loss"] - other["loss"] for row, other in zip(found, expected, strict=True)]
    assert max(map(abs, apart[:EARLY])) < EARLY_LOSS
    assert math.hypot(*apart) / math.sqrt(len(apart)) < MIXED_LOSS
    assert [row["loss"] for row in found] != pytest.approx([row["loss"] for row in exact], rel=1e-5)  # it is bfloat16


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_what_is_not_finite_on_one_process_stops_all_with_the_pairs(kind, what, worker, together):
    first, second = _ended(together, f"{kind}-{what}")
    assert first["error"] == second["error"] == "UserError"
    assert first["message"] == second["message"]
    assert f"the {what}" in first["message"]
    assert "nothing was updated" in first["message"]
    given = worker.data()
    names = [pair.pair_id for pair in given["pairs"]] + [ranked.list_id for ranked in given["lists"]]
    assert any(name in first["message"] for name in names)
    assert sorted([first["is_echo"], second["is_echo"]]) == [False, True]  # one of them shows the message


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_disk_on_the_first_process_ends_all(kind, together):
    ends = _ended(together, f"{kind}-disk")
    assert [(end["error"], end["is_echo"]) for end in ends] == [("StoreError", False), ("StoreError", True)]


def test_when_a_process_dies_the_others_end_with_a_message(together):
    end = json.loads((together / "lost.0.json").read_text())
    assert end["error"] == "GoldsmithError"
    assert "process 0 of 2 lost the others: one of them ended" in end["message"]
    assert not (together / "lost").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_a_checkpoint_of_two_processes_is_one_process_s_and_one_goes_on_from_it(kind, worker, tiny, alone, together, tmp_path):
    work = tmp_path / ".rm.work"
    shutil.copytree(together / f".{kind}-stopped.work", work)
    theirs, ours = (read_checkpoint(list_checkpoints(folder)[-1]) for folder in (work, alone / ".taken.work"))
    assert theirs.tensors.keys() == ours.tensors.keys()
    for name, value in ours.tensors.items():
        torch.testing.assert_close(theirs.tensors[name], value, rtol=1e-3, atol=1e-6)
    worker.train(tiny, tmp_path / "rm", worker.FULL)
    _same_model(tmp_path / "rm", alone / "full")


@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_go_on_from_the_checkpoint_of_one(kind, alone, together):
    assert [end["error"] for end in _ended(together, f"{kind}-taken")] == [None, None]
    _same_model(together / f"{kind}-taken", alone / "full")


def test_torchrun_starts_the_command_line_and_one_process_speaks(worker, tiny, tmp_path):
    rows = [
        {"prompt": f"Say {word}.", "chosen": f"{word}, please!", "rejected": "no" * (1 + at)}
        for at, word in enumerate(worker.WORDS)
    ]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings = ["train.method=full", "train.batch_size=5", "train.learning_rate=1e-3", "reward.dtype=float32"]
    verb = ["train", "pairs.jsonl", "--base", str(tiny), "--json"] + [part for name in settings for part in ("--set", name)]
    run = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", f"--master-port={free_port()}", "-m", "goldsmith"]
    done = subprocess.run(
        [*run, *verb, "--out", "two", "--set", "train.sharding=zero1"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["metrics"]["processes"] == 2  # one JSON value, so one process printed
    assert done.stderr.count("Training: full") == 1
    from goldsmith.cli.main import run as command

    assert command([*verb[:1], str(tmp_path / "pairs.jsonl"), *verb[2:], "--out", str(tmp_path / "one")]) == 0
    _same_model(tmp_path / "two", tmp_path / "one")
