"""Scoring every set resumably: what a killed call loses, what an account adds up, which set comes first, and what the table says."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parents[3] / "benchmarks"))

import bench_files
from goldsmith.errors import UserError
from goldsmith.evaluate.items import read_items
from goldsmith.reward.model import RewardModel
from speed import sets


@pytest.fixture
def model(tiny_rm: Path) -> RewardModel:
    return RewardModel.load(tiny_rm)


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """JudgeBench with 2 prompts of 2 replies, and RM-Bench with 6 prompts of 6, its first prompt and replies longer than all of JudgeBench."""
    bench_files.write_lines(tmp_path / "suite" / "judgebench.jsonl", [bench_files.judgebench(number) for number in range(2)])
    rows = [bench_files.rmbench(number, name) for number, name in enumerate(["chat", "code", "math", "safety-refuse"] * 2)][:6]
    bench_files.write_lines(tmp_path / "suite" / "rmbench.jsonl", rows)
    return tmp_path / "suite"


@pytest.fixture
def rated(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the chunks that a model scored, at most four texts each."""
    monkeypatch.setattr(sets, "STEP", 4)
    real, sizes = RewardModel.rate, []

    def rate(self: RewardModel, replies: Any, **options: Any) -> Any:
        sizes.append(len(replies))
        return real(self, replies, **options)

    monkeypatch.setattr(RewardModel, "rate", rate)
    return sizes


def account(folder: Path, name: str) -> dict[str, Any]:
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


def run(folder: Path, model: RewardModel, suite: Path, *names: str) -> None:
    sets.run_sets(folder, model, "tiny", suite, names, resamples=100)


def scores(folder: Path, name: str) -> list[list[float | None]]:
    return [item.scores for item in read_items(folder / name / "models" / sets.NAME)]


def test_a_killed_call_loses_the_running_chunk_and_the_next_goes_on(
    tmp_path: Path, model: RewardModel, suite: Path, rated: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path / "whole", model, suite)
    # 4 texts of JudgeBench in one chunk; 36 of RM-Bench in nine.
    assert rated == [4] * 10
    whole = [account(tmp_path / "whole", name) for name in ("judgebench", "rm-bench")]
    assert [(one["texts"], one["extent"], one["is_done"]) for one in whole] == [(4, 4, True), (36, 36, True)]

    rated.clear()
    real, calls = RewardModel.rate, []

    def killed_in_the_fourth(self: RewardModel, replies: Any, **options: Any) -> Any:
        calls.append(len(replies))
        if len(calls) == 4:
            raise KeyboardInterrupt
        return real(self, replies, **options)

    with monkeypatch.context() as patch:
        patch.setattr(RewardModel, "rate", killed_in_the_fourth)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "killed", model, suite)
    before = account(tmp_path / "killed", "rm-bench")
    assert (before["texts"], before["is_done"]) == (8, False)
    told = sets.table_of_sets(tmp_path / "killed", suite)
    assert "missing: RM-Bench: 8 of 36 texts scored" in told
    rated.clear()
    run(tmp_path / "killed", model, suite)
    assert rated == [4] * 7
    after = account(tmp_path / "killed", "rm-bench")
    assert after["seconds"] > before["seconds"]
    assert (after["texts"], after["score"]) == (36, whole[1]["score"])
    assert scores(tmp_path / "killed", "rm-bench") == scores(tmp_path / "whole", "rm-bench")
    rated.clear()
    run(tmp_path / "killed", model, suite)
    assert rated == [], "a set that is done is not looked at again"


def test_seconds_are_those_of_scoring_summed_over_calls(
    tmp_path: Path, model: RewardModel, suite: Path, rated: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(1000))
    monkeypatch.setattr(sets.time, "perf_counter", lambda: float(next(clock)))
    run(tmp_path, model, suite, "judgebench")
    # Two readings of the clock, one tick apart, around the one chunk.
    assert account(tmp_path, "judgebench")["seconds"] == 1.0
    run(tmp_path, model, suite, "RM-Bench")
    assert account(tmp_path, "rm-bench")["seconds"] == 9.0


def test_tokens_that_replies_share_count_once(tmp_path: Path, model: RewardModel, suite: Path) -> None:
    run(tmp_path, model, suite, "judgebench")
    # One byte is one token; the template: <|im_start|> and <|im_end|> are one each, `user\n` and `assistant\n` 5 and 10, a line end 1.
    # Prompt: 1 + 5 + len("question 0") + 1 + 1 = 18, then 1 + 10 = 11 to the reply; the reply, its <|im_end|> and the line end, at which
    # the reward is read. Two prompts, each computed once: 2 * (29 + len("good 0") + 2 + len("bad 0") + 2).
    assert account(tmp_path, "judgebench")["tokens"] == 2 * (29 + 8 + 7)


def test_the_smallest_comes_first_and_a_set_can_be_chosen(
    tmp_path: Path, model: RewardModel, suite: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path / "all", model, suite)
    told = capsys.readouterr().out
    assert 0 <= told.index("JudgeBench: 4 texts") < told.index("RM-Bench: 36 texts")
    run(tmp_path / "one", model, suite, "RM-Bench")
    assert (tmp_path / "one" / "rm-bench.json").is_file()
    assert not (tmp_path / "one" / "judgebench.json").exists()
    with pytest.raises(UserError, match="no benchmark is called 'nonesuch'"):
        run(tmp_path / "one", model, suite, "nonesuch")


def test_the_table_says_what_is_done_and_what_is_missing(tmp_path: Path, model: RewardModel, suite: Path) -> None:
    run(tmp_path, model, suite, "judgebench")
    told = sets.table_of_sets(tmp_path, suite)
    row = next(line for line in told.splitlines() if line.startswith("JudgeBench"))
    value, low, high = account(tmp_path, "judgebench")["score"]
    assert f"{100 * value:.2f}" in row
    assert f"{100 * low:.1f} to {100 * high:.1f}" in row
    assert "  88  " in row, "tokens after sharing"
    assert "missing: RM-Bench: not begun" in told
    assert "missing: RewardBench: not in" in told


def test_texts_of_two_sets_are_scored_once_and_named(tmp_path: Path, model: RewardModel, suite: Path, rated: list[int]) -> None:
    row = bench_files.judgebench(0)
    asked = {"input": row["question"], "output_1": row["response_A"], "output_2": row["response_B"], "label": 1}
    (suite / "llmbar.json").write_text(json.dumps([asked]), encoding="utf-8")
    run(tmp_path, model, suite, "llmbar")
    run(tmp_path, model, suite, "judgebench")
    assert sum(rated) == 4
    assert account(tmp_path, "judgebench")["texts"] == 2
    assert "4 (2 known from other sets)" in sets.table_of_sets(tmp_path, suite)


def test_another_model_is_refused_and_changed_files_begin_anew(
    tmp_path: Path, model: RewardModel, tiny_rm: Path, suite: Path
) -> None:
    run(tmp_path, model, suite, "judgebench")
    with pytest.raises(SystemExit, match=r"judgebench.json is of another model or length; name another --work"):
        run(tmp_path, RewardModel.load(tiny_rm, max_length=64), suite, "judgebench")
    bench_files.write_lines(suite / "judgebench.jsonl", [bench_files.judgebench(number) for number in range(3)])
    run(tmp_path, model, suite, "judgebench")
    assert (account(tmp_path, "judgebench")["extent"], account(tmp_path, "judgebench")["texts"]) == (6, 2)
