"""Each round's models on RewardBench: a drop flags the batch that came in since; without the benchmark the round says why there is nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import bench_files
from goldsmith.benchdata.rewardbench import EXPECTED
from goldsmith.config import GoldsmithConfig
from goldsmith.config.gold import GoldConfig
from goldsmith.curate import cross_check
from goldsmith.curate.context import Context
from goldsmith.evaluate.cross_check import rewardbench_items
from goldsmith.progress import Progress
from goldsmith.store import Workspace


def _context(folder: Path, named: str) -> Context:
    config = GoldsmithConfig(gold=GoldConfig(cross_check=named))
    return Context(Workspace(folder / "w", config), folder / "w" / "runs" / "1", Progress())


def test_without_the_benchmark_the_reason_is_told(tmp_path: Path) -> None:
    found = cross_check.check_round(_context(tmp_path, ""), "fingerprint", 1)
    assert found["computed"] is False
    assert "gold.cross_check names no file" in found["reason"]


def test_a_drop_flags_the_batch_that_came_in_since(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [bench_files.rewardbench(number, name) for number, name in enumerate(list(EXPECTED) * 8)]
    path = bench_files.write_lines(tmp_path / "rb.jsonl", rows)
    context = _context(tmp_path, str(path))

    def rate(wrong: int) -> Any:
        def scores(replies: Sequence[Any]) -> list[float]:
            return [float(str(one.content).startswith("good") != (int(str(one.content).split()[1]) < wrong)) for one in replies]

        return scores

    # The round's model stays as it was, and that of gold is wrong about 60 of 184 items from the third round on.
    wrong = {1: 0, 2: 0, 3: 60}
    answers = lambda _context, _data, number: {
        "round": rewardbench_items(path, rate(0)),
        "gold": rewardbench_items(path, rate(wrong[number])),
    }
    monkeypatch.setattr(cross_check, "_answers", answers)
    first, second, third = (cross_check.check_round(context, f"fingerprint {number}", number) for number in (1, 2, 3))
    assert (first["computed"], first["reason"]) == (False, "the first round has none to be compared with")
    assert (second["computed"], second["flagged"]) == (True, [])
    assert third["flagged"] == ["round-2"]
    assert (third["models"]["gold"]["is_drop"], third["models"]["round"]["is_drop"]) == (True, False)
    assert third["models"]["gold"]["num_items"] == 184
