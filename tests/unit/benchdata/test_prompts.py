"""First-turn prompts, and the prompts of every benchmark file in a folder."""

import json
from pathlib import Path

import pytest

from goldsmith.benchdata.prompts import BenchmarkPrompt, distinct_prompts, first_turn, text_of_content
from goldsmith.errors import DataError
from goldsmith.pool.benchmarks import benchmark_prompts


def test_the_first_turn_is_the_first_of_the_user() -> None:
    turns = [{"role": "system", "content": "s"}, {"role": "user", "content": "one"}, {"role": "user", "content": "two"}]
    assert first_turn(turns) == "one"
    assert first_turn(turns[:1]) == ""
    assert text_of_content([{"type": "text", "text": "a"}, {"type": "image"}, {"type": "text", "text": "b"}]) == "a\nb"
    assert text_of_content(None) == ""


def test_each_prompt_of_a_set_counts_once() -> None:
    contexts = [(name, [{"role": "user", "content": text}]) for name, text in (("x", "a"), ("x", "a"), ("y", "a"), ("x", " "))]
    assert list(distinct_prompts(contexts)) == [BenchmarkPrompt("a", "x"), BenchmarkPrompt("a", "y")]


def test_every_benchmark_of_a_folder_is_found_by_its_content(tmp_path: Path) -> None:
    folder = tmp_path / "benchmarks"
    (folder / "rm").mkdir(parents=True)
    rows = {
        "rm/chat.json": [{"prompt": "From RM-Bench?", "chosen": list("abc"), "rejected": list("xyz"), "error": ""}],
        "bar.json": [{"input": "From LLMBar?", "output_1": "same", "output_2": "same", "label": 1}],
        "scores.json": [{"pair_uid": "1", "chosen_reward": 0.5}],
    }
    for name, content in rows.items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    # LLMBar's pair is none (identical replies), but its prompt is a prompt of the benchmark all the same.
    assert benchmark_prompts([folder]) == [
        BenchmarkPrompt("From LLMBar?", "benchmarks/bar"),
        BenchmarkPrompt("From RM-Bench?", "benchmarks/rm/chat"),
    ]


def test_a_path_without_prompts_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "scores.json").write_text('[{"score": 1}]', encoding="utf-8")
    with pytest.raises(DataError, match="unknown format"):
        benchmark_prompts([tmp_path / "scores.json"])
    with pytest.raises(DataError, match="no such file"):
        benchmark_prompts([tmp_path / "absent"])
