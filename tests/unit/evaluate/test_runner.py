"""Evaluations of whole suites: the four shipped engines, one score for each text, resuming, several models, and failing well."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

import bench_files
from goldsmith.benchdata.suite import find_suite
from goldsmith.errors import DataError, ProviderError, StoreError, UserError
from goldsmith.evaluate.cache import ScoreCache
from goldsmith.evaluate.engines.engine import Engine, Progress, Rated, Text, TextEngine
from goldsmith.evaluate.engines.shipped import shipped
from goldsmith.evaluate.evaluate import evaluate_models
from goldsmith.evaluate.items import read_items, read_result
from goldsmith.evaluate.result import EvalResult, ModelInfo
from goldsmith.evaluate.runner import evaluate_engines
from goldsmith.evaluate.scoring.rule import Settings
from goldsmith.evaluate.texts import read_texts

SETTINGS = Settings(seed=0, resamples=100)


class Counting(TextEngine):
    """Scores by length, counts what it is asked, and may break after some texts."""

    is_cached = True

    def __init__(self, name: str = "counting", breaks_after: int | None = None, digest: str = "d1") -> None:
        self.info = ModelInfo(name=name, spec=name, kind="http", digest=digest)
        self.asked: list[str] = []
        self.breaks_after = breaks_after

    def rate(self, texts: Sequence[Text], progress: Progress | None = None) -> Iterator[list[tuple[Text, Rated]]]:
        for text in texts:
            if self.breaks_after is not None and len(self.asked) >= self.breaks_after:
                raise ProviderError("http://there/score: no scores after 5 attempts")
            self.asked.append(text.text_id)
            yield [(text, Rated(value=float(len(text.reply)), tokens=7, cut=2 if "bad" in text.reply else 0))]


def run(folder: Path, *engines: Engine, out: str = "out") -> list[EvalResult]:
    suite = find_suite(bench_files.write_suite(folder / "suite"))
    return evaluate_engines([lambda engine=engine: engine for engine in engines], suite, folder / out, SETTINGS).results


def full_suite(folder: Path) -> Path:
    """Every subset of the seven once or more, so that each has an overall."""
    files = bench_files
    from goldsmith.benchdata import judgebench, ppe_correctness, rewardbench, rewardbench2, rmbench

    files.write_lines(
        folder / "rb.jsonl", [files.rewardbench(number, name) for number, name in enumerate(list(rewardbench.EXPECTED) * 8)]
    )
    best = [files.rewardbench2(number, name) for number, name in enumerate(list(rewardbench2.EXPECTED)[:-1] * 8)]
    files.write_lines(
        folder / "rb2.jsonl",
        best + [files.ties(number, kind, 2 if kind == "tied" else 1) for number in range(8) for kind in ("ref", "tied")],
    )
    files.write_lines(
        folder / "ppe.jsonl", [files.ppe_preference(number, ("model_a", "model_b")[number % 2]) for number in range(40)]
    )
    for name in ppe_correctness.EXPECTED:
        files.write_lines(
            folder / f"PPE-{name}.jsonl",
            [{**files.ppe_correctness(number, 8), "question_id": f"{name}{number}"} for number in range(8)],
        )
    goals = ("Helpfulness", "Harmlessness")
    files.write_lines(
        folder / "rmb.jsonl",
        [make(number, goals[number % 2]) for make in (files.rmb_pair, files.rmb_list) for number in range(30)],
    )
    files.write_lines(
        folder / "rmbench.jsonl", [files.rmbench(number, name) for number, name in enumerate(list(rmbench.EXPECTED) * 6)]
    )
    sources = [source for source in judgebench.CATEGORIES for _ in range(10)]
    files.write_lines(
        folder / "jb.jsonl",
        [files.judgebench(number, ("A>B", "B>A")[number % 2], source) for number, source in enumerate(sources)],
    )
    return folder


@pytest.fixture(scope="module")
def shipped_results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, EvalResult]:
    folder = tmp_path_factory.mktemp("shipped")
    found = evaluate_models(
        ["random", "oracle", "constant", "longer"], folder / "out", suite=full_suite(folder / "suite"), report=False
    )
    return {result.model.name: result for result in found.results}


def test_an_oracle_scores_exactly_1_everywhere(shipped_results: dict[str, EvalResult]) -> None:
    result = shipped_results["oracle"]
    assert len(result.benchmarks) == 7
    assert [benchmark.official.value for benchmark in result.benchmarks] == [1.0] * 7
    assert result.average.value == 1.0
    assert all(subset.accuracy == 1.0 for benchmark in result.benchmarks for subset in benchmark.subsets)


def test_a_constant_scorer_gets_what_the_tie_rules_give(shipped_results: dict[str, EvalResult]) -> None:
    found = {benchmark.id: benchmark.official.value for benchmark in shipped_results["constant"].benchmarks}
    # Best of four: a quarter in five of six subsets, and Ties 0 (no gap, no spread: no term at all). JudgeBench: B>A, half of the labels.
    assert found["rewardbench-2"] == pytest.approx(5 * 0.25 / 6)
    assert found["judgebench"] == 0.5
    assert [found[name] for name in ("rewardbench", "ppe-preference", "ppe-correctness", "rmb", "rm-bench")] == [0.0] * 5
    for benchmark in shipped_results["constant"].benchmarks:
        assert benchmark.total.num_ties == benchmark.total.num_items


def test_random_scores_lie_within_their_interval_of_chance(tmp_path: Path) -> None:
    suite = find_suite(full_suite(tmp_path / "suite"))
    missed = []
    for seed in range(6):
        result = evaluate_engines(
            [lambda seed=seed: shipped("random", seed=seed)], suite, tmp_path / str(seed), SETTINGS
        ).results[0]
        for benchmark in result.benchmarks:
            low, chance, high = benchmark.official.low, benchmark.chance, benchmark.official.high
            assert None not in (low, chance, high)
            if not (low or 0.0) <= (chance or 0.0) <= (high or 0.0):
                missed.append((seed, benchmark.id, low, chance, high))
    # Of 42 intervals of 95 % about two miss, and some more as these sets are small; ten or more would be no accident.
    assert len(missed) < 10, missed


def test_longer_wins_by_characters(shipped_results: dict[str, EvalResult]) -> None:
    # In these files "good" has one character more than "bad".
    found = {benchmark.id: benchmark.official.value for benchmark in shipped_results["longer"].benchmarks}
    assert found["rewardbench"] == 1.0
    assert found["rm-bench"] == 1.0


def test_each_distinct_text_is_scored_once_for_all_benchmarks(tmp_path: Path) -> None:
    engine = Counting()
    result = run(tmp_path, engine)[0]
    assert len(engine.asked) == len(set(engine.asked)) == result.num_texts == result.num_scored
    items = list(read_items(tmp_path / "out" / "models" / "counting"))
    assert set(engine.asked) == {name for item in items for name in item.text_ids}
    # RMB's list has the replies of its pair: 2 + 1 new ones for each goal.
    assert len({name for item in items if item.benchmark == "rmb" for name in item.text_ids}) == 6


def test_a_second_run_asks_nothing_and_gives_the_same(tmp_path: Path) -> None:
    first = run(tmp_path, Counting())[0]
    again = Counting()
    second = run(tmp_path, again)[0]
    assert again.asked == []
    assert second.num_scored == 0
    assert second.benchmarks == first.benchmarks
    other = Counting(digest="d2")
    run(tmp_path, other)
    assert len(other.asked) == first.num_texts


def test_a_server_that_dies_half_way_is_gone_on_with(tmp_path: Path) -> None:
    broken = Counting(breaks_after=10)
    with pytest.raises(ProviderError):
        run(tmp_path, broken)
    assert not (tmp_path / "out" / "models" / "counting" / "items.parquet").exists()
    rest = Counting()
    resumed = run(tmp_path, rest)[0]
    assert not set(broken.asked) & set(rest.asked)
    assert len(broken.asked) + len(rest.asked) == resumed.num_texts
    unbroken = run(tmp_path, Counting(), out="other")[0]
    assert resumed.benchmarks == unbroken.benchmarks


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = {path!r}
import test_runner
class Killed(test_runner.Counting):
    def rate(self, texts, progress=None):
        for part in super().rate(texts):
            yield part
            if len(self.asked) == 12:
                os.kill(os.getpid(), signal.SIGKILL)
test_runner.run(Path({folder!r}), Killed())
"""


def test_a_run_killed_with_9_loses_nothing_that_was_scored(tmp_path: Path) -> None:
    here = Path(__file__)
    code = KILLED.format(path=[str(here.parent), str(here.parents[2] / "support")], folder=str(tmp_path))
    ended = subprocess.run([sys.executable, "-c", code], env={**os.environ}, capture_output=True, timeout=120, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    rest = Counting()
    resumed = run(tmp_path, rest)[0]
    # The twelfth part was kept before the engine was asked to go on.
    assert resumed.num_texts - len(rest.asked) == 12
    assert read_result(tmp_path / "out" / "models" / "counting") == resumed


def test_several_models_get_a_folder_each_and_names_must_differ(tmp_path: Path) -> None:
    run(tmp_path, Counting("a/b"), shipped("constant"))
    assert sorted(path.name for path in (tmp_path / "out" / "models").iterdir()) == ["a-b", "constant"]
    with pytest.raises(UserError, match="two models are called 'same'"):
        run(tmp_path, Counting("same"), Counting("same"))


def test_of_several_models_one_that_fails_is_named_and_the_others_are_evaluated(tmp_path: Path) -> None:
    suite = find_suite(bench_files.write_suite(tmp_path / "suite"))

    def absent() -> Engine:
        raise UserError("there/model: no weights in it")

    broken = Counting("dying", breaks_after=10)
    found = evaluate_engines(
        [absent, lambda: broken, lambda: shipped("oracle")],
        suite, tmp_path / "out", SETTINGS, labels=["absent", "dying", "oracle"],
    )  # fmt: skip
    assert [result.model.name for result in found.results] == ["oracle"]
    assert found.folders == [tmp_path / "out" / "models" / "oracle"]
    assert [(failed.name, failed.reason) for failed in found.failed] == [
        ("absent", "there/model: no weights in it"),
        ("dying", "http://there/score: no scores after 5 attempts"),
    ]
    rest = Counting("dying")
    run(tmp_path, rest)
    assert not set(broken.asked) & set(rest.asked), "what the failed one scored was kept"


def test_where_every_model_fails_all_reasons_are_told(tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match=r"(?s)no model could be evaluated.*  model 1: http.*  model 2: http"):
        run(tmp_path, Counting("one", breaks_after=0), Counting("two", breaks_after=0))


def test_a_broken_benchmark_or_disk_is_no_model_s_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench_files.write_lines(
        tmp_path / "suite" / "jb.jsonl", [bench_files.judgebench(), {**bench_files.judgebench(1), "label": "C"}]
    )
    suite = find_suite(tmp_path / "suite")
    with pytest.raises(DataError, match=r"jb.jsonl:2: label is 'C'"):
        evaluate_engines([lambda: shipped("oracle"), lambda: shipped("longer")], suite, tmp_path / "out", SETTINGS)

    def full(*_values: object) -> None:
        raise StoreError("scores.sqlite: scores cannot be kept (disk full)")

    monkeypatch.setattr(ScoreCache, "put", full)
    with pytest.raises(StoreError, match="disk full"):
        run(tmp_path / "other", Counting("one"), shipped("oracle"))


def test_truncations_are_counted_beside_each_accuracy(tmp_path: Path) -> None:
    result = run(tmp_path, Counting())[0]
    judgebench = result.benchmark("judgebench")
    assert judgebench is not None
    assert judgebench.total.num_truncated == 2
    item = next(read_items(tmp_path / "out" / "models" / "counting", "judgebench"))
    assert (item.tokens, item.cut) == ([7, 7], [0, 2])


def test_the_texts_of_failures_are_kept_beside_the_result(tmp_path: Path) -> None:
    run(tmp_path, shipped("constant"))
    found = list(read_texts(tmp_path / "out" / "models" / "constant", "rewardbench"))
    assert {(item.better_text, item.worse_text, item.margin) for item in found} == {
        ("good 0", "bad 0", 0.0),
        ("good 1", "bad 1", 0.0),
    }
    assert found[0].context[0]["role"] == "user"
    run(tmp_path, shipped("oracle"))
    assert list(read_texts(tmp_path / "out" / "models" / "oracle")) == []


def test_a_cache_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "scores.sqlite"
    path.write_bytes(b"not a database, but long enough to be taken for one" * 40)
    with pytest.raises(StoreError, match=r"scores.sqlite.*delete it"):
        ScoreCache(path)


def test_results_on_disk_are_json_without_surprises(tmp_path: Path) -> None:
    run(tmp_path, shipped("longer"))
    text = (tmp_path / "out" / "models" / "longer" / "result.json").read_text(encoding="utf-8")
    assert json.loads(text)["schema_version"] == 1
    assert "NaN" not in text
    (tmp_path / "result.json").write_text(text.replace('"schema_version": 1', '"schema_version": 9'), encoding="utf-8")
    with pytest.raises(UserError, match="no result of this version"):
        read_result(tmp_path)
