"""Contenders of a race: what one does after its last step waits until the race is over."""

from __future__ import annotations

from pathlib import Path

import pytest

from speed.contender import Contender, Gate


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
