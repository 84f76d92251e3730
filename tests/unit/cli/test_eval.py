"""`goldsmith eval` from the command line."""

import csv
import json
from pathlib import Path

import pytest

import bench_files
from goldsmith.cli.main import run
from goldsmith.reward.tiny import write_tiny_model


def test_eval_prints_results_and_absent_benchmarks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bench_files.write_lines(tmp_path / "suite" / "jb.jsonl", [bench_files.judgebench(place) for place in range(3)])
    command = ["eval", "random", "best=oracle", "--suite", str(tmp_path / "suite"), "--out", str(tmp_path / "out")]
    assert run(command) == 0
    text = capsys.readouterr().out
    assert "JudgeBench" in text
    assert "100.00" in text
    assert "absent: RewardBench 2 (hub dataset allenai/reward-bench-2, split test)" in text
    assert run([*command, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [result["model"]["name"] for result in told["results"]] == ["random", "best"]


def test_scores_of_each_arithmetic_are_kept_apart_and_a_second_run_scores_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny = write_tiny_model(tmp_path / "tiny", seed=3, num_labels=1)
    data = bench_files.write_lines(tmp_path / "jb.jsonl", [bench_files.judgebench(place) for place in range(2)])
    seen = []
    for dtype in ("float32", "bfloat16", "float32"):
        options = ["--dtype", dtype, "--benchmark", f"JudgeBench={data}", "--out", str(tmp_path / "out"), "--no-report", "--json"]
        assert run(["eval", str(tiny), *options]) == 0
        (result,) = json.loads(capsys.readouterr().out)["results"]
        seen.append((result["model"]["facts"]["dtype"], result["num_scored"]))
    assert seen == [("float32", 4), ("bfloat16", 4), ("float32", 0)]


def test_missing_scores_give_a_partial_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = bench_files.write_lines(tmp_path / "jb.jsonl", [bench_files.judgebench(place) for place in range(2)])
    scores = bench_files.write_lines(tmp_path / "scores.jsonl", [{"pair_id": "p0", "scores": [1, 0]}])
    assert run(["eval", f"scores:{scores}", "--benchmark", f"JudgeBench={data}", "--out", str(tmp_path / "out")]) == 3
    assert "50.00" in capsys.readouterr().out


def test_a_model_without_an_answer_has_no_number_in_any_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bench_files.write_lines(tmp_path / "suite" / "jb.jsonl", [bench_files.judgebench(place) for place in range(24)])
    bench_files.write_lines(tmp_path / "suite" / "rb.jsonl", [bench_files.rewardbench(place) for place in range(4)])
    scores = bench_files.write_lines(
        tmp_path / "scores.jsonl", [{"pair_id": f"p{place}", "scores": [1, 0]} for place in range(24)]
    )
    out = tmp_path / "out"
    assert run(["eval", f"half=scores:{scores}", "random", "--suite", str(tmp_path / "suite"), "--out", str(out)]) == 3
    assert "RewardBench: none of 4 items was answered" in capsys.readouterr().out
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert any("half answered no item of RewardBench: no score there" in paragraph["text"] for paragraph in report["words"])
    half = next(model for model in report["models"] if model["name"] == "half")
    assert half["scores"]["rewardbench"]["official"]["value"] is None
    assert {row["benchmark"] for row in report["differences"]} == {"judgebench"}
    assert "half" in {row["model"] for row in report["panels"] if row["benchmark"] == "all"}
    front = (out / "report-files" / "model-index" / "goldsmith--half.md").read_text(encoding="utf-8")
    assert "JudgeBench" in front
    assert "reward-bench" not in front
    assert not (out / "report-files" / "rewardbench").exists()


def test_a_model_that_fails_beside_others_is_named_in_every_format(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bench_files.write_lines(tmp_path / "suite" / "jb.jsonl", [bench_files.judgebench(place) for place in range(3)])
    out = tmp_path / "out"
    command = ["eval", "best=oracle", f"gone={tmp_path / 'nothing'}", "--suite", str(tmp_path / "suite"), "--out", str(out)]
    assert run(command) == 3
    told = capsys.readouterr().out
    assert "100.00" in told
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert report["title"] == "Evaluation of rules, no model: best"
    reason = report["failed_models"][0]["reason"]
    assert report["failed_models"][0]["name"] == "gone"
    assert str(tmp_path / "nothing") in reason
    assert f"not evaluated: gone: {reason}" in told
    assert "“gone” could not be evaluated, and is in no figure" in (out / "report.html").read_text(encoding="utf-8")
    assert "“gone” could not be evaluated" in (out / "report.md").read_text(encoding="utf-8")
    with (out / "report-files" / "tables" / "failed-models.csv").open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [["model", "reason"], ["gone", reason]]
    assert run([*command, "--json"]) == 3
    printed = json.loads(capsys.readouterr().out)
    assert printed["failed"] == [{"name": "gone", "reason": reason}]
    assert len(printed["results"]) == 1
    assert run(["eval", *command[2:]]) == 1, "alone it is the command's error"


def test_errors_name_the_place_and_the_remedy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["eval", "random", "--out", str(tmp_path / "out")]) == 1
    assert "--suite FOLDER" in capsys.readouterr().err
    data = bench_files.write_lines(tmp_path / "jb.jsonl", [{**bench_files.judgebench(), "label": "C"}])
    assert run(["eval", "random", "--benchmark", f"judgebench={data}", "--out", str(tmp_path / "out")]) == 1
    assert "jb.jsonl:1: label is 'C'" in capsys.readouterr().err


def test_two_models_of_one_name_are_refused_before_the_first_is_evaluated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = bench_files.write_lines(tmp_path / "jb.jsonl", [bench_files.judgebench()])
    command = ["eval", "--benchmark", f"judgebench={data}", "--out", str(tmp_path / "out")]
    assert run([*command, "model=random", "model=oracle"]) == 1
    assert "two models are called 'model'; give one another name: LABEL=MODEL" in capsys.readouterr().err
    assert run([*command, "a b=random", "a-b=oracle"]) == 1
    assert "the models 'a b' and 'a-b' would share a folder" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_scores_that_no_benchmark_asks_for_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = bench_files.write_lines(tmp_path / "jb.jsonl", [bench_files.judgebench()])
    scores = bench_files.write_lines(tmp_path / "s.jsonl", [{"pair_id": name, "scores": [1, 0]} for name in ("p0", "p7")])
    assert run(["eval", f"scores:{scores}", "--benchmark", f"judgebench={data}", "--out", str(tmp_path / "out")]) == 0
    assert "s: 1 of its 2 stored items belong to no benchmark evaluated, 'p7' for one" in capsys.readouterr().out
