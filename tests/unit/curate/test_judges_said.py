"""Judges of `goldsmith clean` that die half-way, never come, or toss a coin: each is told for what it is, and asked again for what is missing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from goldsmith.cli.main import run
from goldsmith.llm.mock import Reply, ScriptedServer
from goldsmith.reward.tiny import write_tiny_model
from scripted_judge import choose, right

AT_CHANCE = "no judge beats chance on gold"
Clean = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("tiny-said"), seed=3)


def _rows(count: int, kind: str = "pair") -> list[dict[str, Any]]:
    return [
        {"prompt": f"{kind} {n}", "chosen": f"good {n}", "rejected": f"{'z' if n % 2 else 'a'} bad {n}"} for n in range(count)
    ]


def _write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def _arguments(server: ScriptedServer, tiny: Path, folder: Path, *more: str) -> list[str]:
    """20 pairs, one question each, one after the other."""
    settings = [f'reward.base="{tiny}"', "judge.samples=1", "judge.demonstrations=0", "llm.concurrency=1", "llm.max_retries=0"]
    data = _write(folder / "pairs.jsonl", _rows(20))
    sets = [word for setting in settings for word in ("--set", setting)]
    return ["clean", str(data), "-o", str(folder / "o.jsonl"), "--judge", server.base_url, "--judge-model", "m", *sets, *more]


@pytest.fixture
def clean(tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Clean:
    def call(server: ScriptedServer, *more: str) -> tuple[int, dict[str, Any]]:
        code = run([*_arguments(server, tiny, tmp_path, *more), "--json"])
        return code, json.loads(capsys.readouterr().out)

    return call


def test_a_server_that_fails_half_way_is_asked_again_only_for_what_is_missing(
    clean: Clean, tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    is_well = False

    def script(body: dict[str, Any], number: int) -> Reply:
        return right(body, number) if is_well or number < 8 else Reply(status=500)

    with ScriptedServer(script) as server:
        assert run(_arguments(server, tiny, tmp_path)) == 3
        told = capsys.readouterr().out
        assert "pairs that lack the answer of a judge: 12 (12 server-error)" in told
        assert "12 of 20 pairs lack the answer of a judge (12 server-error) and are decided without it; called again" in told
        asked, is_well = len(server.bodies), True
        code, result = clean(server)
        assert (code, result["unanswered"], len(server.bodies) - asked) == (0, {}, 12)
        assert result["facts"]["judges"]["judged"] == 20
        assert not any("lack the answer" in text for text in result["statements"])


def test_a_server_that_goes_away_leaves_what_it_said(clean: Clean) -> None:
    def script(body: dict[str, Any], number: int) -> Reply:
        if number < 8:
            return right(body, number)
        assert server._server is not None
        server._server.close()
        return Reply(closes=True)

    with ScriptedServer(script) as server:
        address = server.base_url
        code, result = clean(server)
        assert (code, result["unanswered"]) == (3, {"given-up": 12})
        assert any(text.startswith("a judge was lost on the way") and address in text for text in result["statements"])
        assert result["facts"]["judges"]["failed"] == {"given-up": 12}
        assert result["rows"] == result["kept"] + sum(result["dropped"].values()) == 20


def test_a_server_that_never_answers_is_an_error_and_nothing_is_written(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ScriptedServer(right) as server:
        arguments = _arguments(server, tiny, tmp_path)
    assert run(arguments) == 1
    assert "no connection to" in capsys.readouterr().err
    assert not (tmp_path / "o.jsonl").exists()


def test_a_judge_that_did_not_answer_on_gold_is_not_called_one_at_chance(clean: Clean, tmp_path: Path) -> None:
    gold = _write(tmp_path / "gold.jsonl", _rows(30, "gold"))
    with ScriptedServer(lambda body, number: Reply(status=500)) as server:
        code, result = clean(server, "--gold", str(gold))
    # None of the 20 pairs and 30 of gold was judged.
    assert (code, result["unanswered"]) == (3, {"no-usable-judge": 50})
    (told,) = [text for text in result["statements"] if text.startswith("judge m answered on 0 of the")]
    assert "server-error" in told
    assert "could not be tested and is not used; called again" in told
    assert not any("chance" in text for text in result["statements"])


def test_a_judge_that_dies_during_its_test_is_told_of(clean: Clean, tmp_path: Path) -> None:
    gold = _write(tmp_path / "gold.jsonl", _rows(30, "gold"))

    def script(body: dict[str, Any], number: int) -> Reply:
        return right(body, number) if number < 2 else Reply(status=500)

    with ScriptedServer(script) as server:
        code, result = clean(server, "--gold", str(gold))
    # Two right answers do not show that it beats chance, nor that it does not.
    assert (code, result["unanswered"]) == (3, {"no-usable-judge": 50})
    assert any(text.startswith("judge m answered on 2 of the") and "too few to use it" in text for text in result["statements"])
    assert not any(AT_CHANCE in text for text in result["statements"])


def test_a_judge_that_tosses_a_coin_is_called_one_at_chance(clean: Clean, tmp_path: Path) -> None:
    gold = _write(tmp_path / "gold.jsonl", _rows(30, "gold"))
    with ScriptedServer(lambda body, number: choose(1)) as server:
        code, result = clean(server, "--gold", str(gold))
    assert (code, result["unanswered"]) == (0, {})
    assert f"{AT_CHANCE}, so none is used" in result["statements"]
    assert not any("answered on" in text for text in result["statements"])
