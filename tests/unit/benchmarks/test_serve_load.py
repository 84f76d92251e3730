"""The load benchmark: no wrong answer passes for a right one, and what was measured before a kill is not measured again."""

from __future__ import annotations

import asyncio
import json
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import httpx2
import pytest

sys.path.append(str(Path(__file__).parents[3] / "benchmarks"))

import serve_load
from load import clients, encoders
from load.rounds import middle, ratio, rounds
from load.texts import Sample
from speed.table import Figure

SAMPLE = Sample([{"role": "user", "content": "q"}, {"role": "assistant", "content": "4"}], "q4", 2, 2.0)


def _asked(status: int, content: str) -> clients.Seen:
    async def ask() -> clients.Seen:
        seen = clients.Seen()
        answer = httpx2.MockTransport(lambda request: httpx2.Response(status, text=content))
        async with httpx2.AsyncClient(transport=answer) as http:
            await clients.ask(http, "http://x", [SAMPLE], seen)
        return seen

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("given", "apart"),
    [("2.0", 0.0), ("2.5", 0.25), ("NaN", float("inf")), ("Infinity", float("inf")), ("-Infinity", float("inf"))],
)
def test_an_answer_that_is_no_number_is_infinitely_wrong(given: str, apart: float) -> None:
    assert _asked(200, f'{{"rewards": [{given}]}}').apart == apart


def test_refusals_are_told_from_errors() -> None:
    assert len(_asked(503, "").refused) == len(_asked(429, "").refused) == 1
    assert _asked(500, "").errors == ["HTTP 500"]


def test_rounds_that_are_done_are_not_measured_again(tmp_path: Path) -> None:
    path, calls = tmp_path / "work" / "rounds.json", 0

    async def measure() -> dict[str, float]:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        return {"ours": 10.0 * calls, "theirs": 2.0}

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(rounds(path, 3, measure))
    assert len(json.loads(path.read_text(encoding="utf-8"))) == 2
    found = asyncio.run(rounds(path, 3, measure))
    assert calls == 4
    # 10, 20 and 40 of ours against 2 each time.
    assert middle(found, "ours") == 20.0
    assert ratio(found, "ours", "theirs") == 10.0


def _arguments(tmp_path: Path, **settings: Any) -> Namespace:
    return Namespace(**{"work": tmp_path, "model": None, "dtype": "float32", "full": True, "part": None, **settings})


def test_parts_are_kept_apart_and_read_by_a_full_run_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, bool]] = []

    async def part(job: serve_load.Job) -> list[Figure]:
        asked.append((job.model.name, job.full))
        return [Figure(job.model.name, float(len(asked)))]

    monkeypatch.setattr(serve_load, "PARTS", {"load": part, "field": part})
    mine = _arguments(tmp_path, model=tmp_path / "mine")
    first = [serve_load.measured(name, tmp_path / "m", _arguments(tmp_path)) for name in ("load", "field")]
    assert [serve_load.measured(name, tmp_path / "m", _arguments(tmp_path)) for name in ("load", "field")] == first
    assert asked == [("m", True)] * 2
    serve_load.measured("load", tmp_path / "mine", mine)
    serve_load.measured("load", tmp_path / "m", _arguments(tmp_path, full=False))
    assert asked[2:] == [("mine", True), ("m", False)]


def test_a_python_without_infinity_beside_it_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = tmp_path / "bin" / "python"
    monkeypatch.setenv(encoders.PYTHON, str(python))
    with pytest.raises(SystemExit, match=r"GOLDSMITH_INFINITY_PYTHON=.*no infinity_emb beside it"):
        encoders.infinity_command()
    python.parent.mkdir()
    python.with_name("infinity_emb").touch()
    assert encoders.infinity_command() == str(python.with_name("infinity_emb"))
