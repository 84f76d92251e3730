"""What models are called: labels with slashes and equal signs, models that end alike, and the files their names become."""

import json
from pathlib import Path

import pytest

import bench_files
from goldsmith.config.evaluate import EvalModelConfig
from goldsmith.errors import UserError
from goldsmith.evaluate.compare.leaderboard import file_names
from goldsmith.evaluate.compare.load import numbered
from goldsmith.evaluate.evaluate import evaluate_models, labelled, told_apart
from goldsmith.evaluate.runner import slug


@pytest.mark.parametrize(
    ("given", "name", "model"),
    [
        ("best=oracle", "best", "oracle"),
        ("org/name=oracle", "org/name", "oracle"),
        ("org/name=scores:file.jsonl", "org/name", "scores:file.jsonl"),
        ("org/name=vllm-chat:http://localhost:8000/?", "org/name", "vllm-chat:http://localhost:8000/?"),
        ("org/name=other/model", "org/name", "other/model"),
        ("scores:runs/a=b.jsonl", "", "scores:runs/a=b.jsonl"),
        ("vllm-chat:http://h/x=y", "", "vllm-chat:http://h/x=y"),
        ("org/name", "", "org/name"),
        ("=oracle", "", "=oracle"),
        ("a=b=c", "a", "b=c"),
    ],
)
def test_label_and_model_are_told_apart(
    given: str, name: str, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = labelled(given)
    assert (found.name, found.model) == (name, model)


def test_a_path_with_an_equal_sign_stays_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("lr=1e-5/final", "runs/lr=1e-5/final"):
        Path(name).mkdir(parents=True)
        assert labelled(name) == EvalModelConfig(model=name)
        assert labelled(f"mine={name}") == EvalModelConfig(model=name, name="mine")
    # A spelling mistake in a path below a folder that is there is no label.
    assert labelled("runs/lr=1e-5/finale").model == "runs/lr=1e-5/finale"
    assert labelled("runs/x=runs/lr=1e-5/final") == EvalModelConfig(model="runs/lr=1e-5/final", name="runs/x")


def test_models_that_end_alike_are_called_by_more_of_their_path() -> None:
    given = [
        EvalModelConfig(model=name)
        for name in ("org-a/rm", "org-b/rm", "/x/runs/a/final", "/y/runs/a/final", "/y/runs/b/final/", "other")
    ]
    assert [model.name for model in told_apart(given)] == [
        "org-a/rm", "org-b/rm", "x/runs/a/final", "y/runs/a/final", "b/final", "",
    ]  # fmt: skip
    named = [EvalModelConfig(model="org-a/rm", name="rm"), EvalModelConfig(model="org-b/rm")]
    assert [model.name for model in told_apart(named)] == ["rm", "org-b/rm"]


def test_the_very_same_model_twice_is_refused(tmp_path: Path) -> None:
    data = bench_files.write_lines(tmp_path / "jb.jsonl", [bench_files.judgebench()])
    with pytest.raises(UserError, match="two models are called 'rm'"):
        evaluate_models(["org/rm", "org/rm"], tmp_path / "out", benchmarks=[f"judgebench={data}"])


def test_labels_stay_as_they_are_in_reports_and_become_harmless_file_names(tmp_path: Path) -> None:
    data = bench_files.write_lines(tmp_path / "rb.jsonl", [bench_files.rewardbench(place) for place in range(4)])
    scores = bench_files.write_lines(
        tmp_path / "scores.jsonl", [{"item_id": str(place), "scores": [1.0, float(place)]} for place in range(4)]
    )
    names = ["org/rm", "../../../rm", "lr=1e-5", "=1+1", "模型甲", "模型乙", "x" * 400]
    models = [EvalModelConfig(model=f"scores:{scores}", name=name) for name in names]
    out = tmp_path / "deep" / "er" / "out"
    found = evaluate_models(models, out, benchmarks=[f"rewardbench={data}"])
    assert [result.model.name for result in found.results] == names
    assert {folder.parent for folder in found.folders} == {out / "models"}
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert [model["name"] for model in report["models"] if not model["is_baseline"]] == names
    cards = sorted(path.name for path in (out / "report-files" / "model-index").iterdir())
    assert len(cards) == len(names), cards
    assert "org--rm.md" in cards
    stored = [path for path in (out / "report-files" / "rewardbench").rglob("*.json") if path.parent.parent.name == "eval-set"]
    assert {json.loads(path.read_text(encoding="utf-8"))["model"] for path in stored} == set(names)
    assert {path.name for path in tmp_path.iterdir()} == {"rb.jsonl", "scores.jsonl", "deep"}
    # A spreadsheet must not run a label.
    assert "'=1+1" in (out / "report-files" / "tables" / "scores.csv").read_text(encoding="utf-8")


def test_no_two_models_write_one_file() -> None:
    found = file_names(["a b", "a-b", "A-B", "a/b/c", "a/b-c", "模型甲", "模型乙"])
    assert len({name.lower() for name in found.values()}) == 7
    assert found["a b"] == "goldsmith/a-b.json"
    assert found["a-b"] == "goldsmith/a-b-2.json"


def test_results_of_one_name_are_numbered_and_no_number_meets_another_name() -> None:
    assert numbered(["rm", "rm", "rm"]) == ["rm", "rm (2)", "rm (3)"]
    assert numbered(["rm", "rm", "rm (2)"]) == ["rm", "rm (3)", "rm (2)"]


def test_folders_are_short_enough_for_every_disk() -> None:
    long = [slug("x" * 400 + end) for end in "ab"]
    assert len(set(long)) == 2
    assert max(len(name.encode()) for name in [*long, slug("模" * 300)]) <= 255


def test_a_benchmark_s_name_stands_for_one_set(tmp_path: Path) -> None:
    data = bench_files.write_lines(tmp_path / "jb.jsonl", [bench_files.judgebench()])
    for name, other in (("mine", "mine"), ("JudgeBench", "judgebench")):
        with pytest.raises(UserError, match=r"--benchmark \w+ is given twice"):
            evaluate_models(["oracle"], tmp_path / "out", benchmarks=[f"{name}={data}", f"{other}={data}"])
    with pytest.raises(UserError, match="stands for all benchmarks"):
        evaluate_models(["oracle"], tmp_path / "out", benchmarks=[f"All={data}"])
