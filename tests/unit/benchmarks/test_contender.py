"""Contenders of a race: what one does after its last step waits until the race is over."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from types import SimpleNamespace

import pytest

from speed.contender import LOW_MEMORY, Contender, Gate


def save_after_the_last_step(gate: Gate, steps: int, file: Path) -> None:
    gate.wait()
    for number in range(steps):
        gate.done(number)
        gate.wait()
    file.write_text("saved")


def end_after_the_last_step(gate: Gate, steps: int) -> None:
    for number in range(steps):
        gate.wait()
        gate.done(number)


def test_saving_waits_until_the_race_is_over(tmp_path: Path) -> None:
    file = tmp_path / "model"
    contender = Contender("saver", save_after_the_last_step, 2, file)
    contender.step()
    contender.step()
    contender.process.join(0.5)
    assert not file.exists()
    contender.close(wait=30.0)
    assert file.read_text() == "saved"
    assert contender.process.exitcode == 0
    assert contender.results == [0, 1]


def test_a_contender_without_more_to_do_stays_until_the_race_is_over() -> None:
    contender = Contender("scorer", end_after_the_last_step, 1)
    contender.step()
    contender.process.join(0.5)
    assert contender.process.is_alive()
    contender.close(wait=30.0)
    assert contender.process.exitcode == 0


def test_a_contender_that_fails_is_named() -> None:
    contender = Contender("broken", save_after_the_last_step, "two", Path())
    with pytest.raises(SystemExit, match="broken ended in the middle of a step"):
        contender.step()
    contender.close()


@pytest.mark.parametrize(("available", "given_back"), [(LOW_MEMORY - 1, 1), (LOW_MEMORY, 0)])
def test_memory_is_given_back_only_where_it_is_short(monkeypatch: pytest.MonkeyPatch, available: int, given_back: int) -> None:
    calls: list[None] = []
    monkeypatch.setattr("speed.contender.give_back_memory", lambda: calls.append(None))
    monkeypatch.setattr("speed.contender.psutil.virtual_memory", lambda: SimpleNamespace(available=available))
    ours, theirs = multiprocessing.Pipe()
    Gate(theirs).done("result")
    assert ours.recv()[1] == "result"
    assert len(calls) == given_back
