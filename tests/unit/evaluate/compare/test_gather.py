"""A whole comparison from disk: its figures are those of the results and of independent sums over the items."""

from pathlib import Path

import numpy as np
import pytest

from evaluated import NoisyTruth, evaluate
from goldsmith.evaluate.compare.data import ComparisonData
from goldsmith.evaluate.compare.gather import gather
from goldsmith.evaluate.compare.html import render
from goldsmith.evaluate.compare.load import load
from goldsmith.evaluate.compare.words import comparison_words
from goldsmith.evaluate.items import read_items

REAL = ["judge", "org/good", "org/twin", "weak"]


@pytest.fixture(scope="module")
def data(evaluation: Path) -> ComparisonData:
    return gather(
        load([evaluation]), downstream={"org/good": 0.7, "org/twin": 0.72, "weak": 0.3, "judge": 0.2}, downstream_name="win rate"
    )


def test_scores_are_the_results(evaluation: Path, data: ComparisonData) -> None:
    for model in load([evaluation]):
        row = next(row for row in data.models if row.name == model.name)
        assert {name: score.official for name, score in row.scores.items()} == {
            item.id: item.official for item in model.result.benchmarks
        }
    assert [benchmark.id for benchmark in data.benchmarks] == ["rewardbench", "ppe-correctness", "rm-bench", "judgebench"]
    assert [item.id for item in data.absent] == ["rewardbench-2", "ppe-preference", "rmb"]
    assert len(data.published) == 3


def test_differences_are_those_of_the_official_scores(data: ComparisonData) -> None:
    scores = {model.name: model.scores for model in data.models}
    found = [row for row in data.differences if row.estimate.value is not None]
    assert {(row.one, row.other) for row in found} >= {("org/good", "org/twin"), ("weak", "the longer reply wins")}
    for row in found:
        expected = scores[row.one][row.benchmark].headline.value - scores[row.other][row.benchmark].headline.value
        assert row.estimate.value == pytest.approx(expected), row
        assert row.estimate.low is None or row.estimate.low <= row.estimate.value <= row.estimate.high


def test_curves_end_at_the_picked_answer(evaluation: Path, data: ComparisonData) -> None:
    model = next(model for model in load([evaluation]) if model.name == "org/good")
    picked: dict[str, list[float]] = {}
    for item in read_items(model.folder, "ppe-correctness"):
        picked.setdefault(item.subset, []).append(float(item.good[int(np.argmax(item.scores))]))
    row = next(row for row in data.curves if (row.model, row.benchmark, row.group) == ("org/good", "ppe-correctness", "all"))
    assert row.curve.quality[-1] == pytest.approx(np.mean([np.mean(values) for values in picked.values()]))
    assert row.curve.quality[0] == pytest.approx(3 / 8)  # three of eight replies are right
    assert row.curve.size == 8
    assert {row.group for row in data.curves} == {"all", "MMLU-Pro", "MATH", "GPQA", "IFEval", "MBPP-Plus"}
    assert not [row for row in data.curves if row.model == "judge"]  # a judge has no scores


def test_style_gap_is_the_official_easy_minus_hard(data: ComparisonData) -> None:
    for row in data.styles:
        metrics = {
            metric.name: metric.value for metric in next(m for m in data.models if m.name == row.model).scores["rm-bench"].metrics
        }
        assert row.gap.value == pytest.approx(metrics["easy"] - metrics["hard"])


def test_shortcuts_show_on_the_rule_and_on_the_judge(data: ComparisonData) -> None:
    panels = {(row.model, row.benchmark, row.panel.feature): row.panel for row in data.panels}
    assert panels["the longer reply wins", "all", "length"].gap.value == pytest.approx(1.0, abs=0.05)
    assert panels["weak", "all", "length"].gap.value > panels["org/good", "all", "length"].gap.value
    assert {(row.model, row.wins / row.games) for row in data.shown_first if row.benchmark == "judgebench"} == {("judge", 1.0)}


def test_twins_are_found_and_cards_compared_without_case(data: ComparisonData) -> None:
    errors = {(row.one, row.other): row.errors.value for row in data.homogeneity.agreements}
    assert errors["org/good", "org/twin"] > 0.8
    assert abs(errors["org/good", "weak"]) < 0.3
    assert len(errors) == 6
    assert [(row.what, row.name, row.models) for row in data.homogeneity.shared] == [
        ("base model", "org/base", ["org/good", "org/twin"]),
        ("training data", "pool-1", ["org/good", "org/twin"]),
    ]
    assert data.homogeneity.unknown == ["judge", "weak"]


def test_correlations_are_over_models_and_not_rules(data: ComparisonData) -> None:
    assert {row.pearson.num_models for row in data.correlations} == {4}
    assert len(data.correlations) == 6
    assert {(row.one, row.other) for row in data.downstream if row.other == "win rate"} == {
        (b.id, "win rate") for b in data.benchmarks
    }
    best_of_n = {row.one for row in data.downstream if row.other != "win rate"}
    assert best_of_n == {"rewardbench", "rm-bench", "judgebench"}  # PPE Correctness is not held against itself


def test_failures_are_failures_with_their_texts(evaluation: Path, data: ComparisonData) -> None:
    assert {failure.model for failure in data.failures} == set(REAL)
    for failure in data.failures:
        assert failure.score_right is None or failure.score_right <= failure.score_wrong
        assert (failure.right, failure.wrong) != (None, None)
        assert failure.reasons
    surest = [failure for failure in data.failures if (failure.model, failure.benchmark) == ("weak", "rm-bench")]
    items = {
        item.item_id: item
        for model in load([evaluation])
        if model.name == "weak"
        for item in read_items(model.folder, "rm-bench")
    }
    widest = max(max(item.scores[w] - item.scores[r] for r, w in item.comparisons) for item in items.values())
    assert surest[0].score_wrong - surest[0].score_right == pytest.approx(widest)


def test_failed_items_are_told_and_in_no_decision(data: ComparisonData) -> None:
    twin = next(model for model in data.models if model.name == "org/twin")
    assert twin.scores["rm-bench"].total.num_failed == 5  # r3 of five domains
    words = " ".join(paragraph.text for paragraph in comparison_words(data))
    assert "org/twin: 5 items that failed" in words


def test_words_say_what_intervals_allow(data: ComparisonData) -> None:
    texts = [paragraph.text for paragraph in comparison_words(data)]
    assert any(text.startswith("org/good and org/twin fail on the same comparisons") for text in texts)
    assert any("share the base model `org/base`" in text for text in texts)
    assert any("judge as a judge prefers the reply shown first in 100.0 %" in text for text in texts)
    assert any("Not there, so in no figure: RewardBench 2" in text for text in texts)
    told = next(text for text in texts if text.startswith("org/good against weak"))
    rows = {row.benchmark: row for row in data.differences if (row.one, row.other) == ("org/good", "weak")}
    better = told.partition("better on")[2].partition(";")[0]
    assert all((data.title_of(name) in better) == (row.estimate.low > 0) for name, row in rows.items())


def test_results_over_different_data_are_compared_where_they_meet(evaluation: Path, tmp_path: Path) -> None:
    suite = tmp_path / "suite"
    suite.mkdir()
    source = evaluation.parent / "suite" / "judgebench.jsonl"
    (suite / "judgebench.jsonl").write_text("".join(source.read_text("utf-8").splitlines(keepends=True)[:25]), encoding="utf-8")
    evaluate(suite, tmp_path / "out", [NoisyTruth("late", truth=0.3, seed=9)], rules=())
    found = gather(load([tmp_path / "out", evaluation]))
    row = next(row for row in found.differences if (row.one, row.other, row.benchmark) == ("late", "org/good", "judgebench"))
    assert (row.estimate.num_pairs, row.num_left_out) == (25, 15)
    assert not [row for row in found.differences if row.one == "late" and row.benchmark != "judgebench"]


def test_longer_wins_is_a_row_even_where_nobody_evaluated_it(evaluation: Path, data: ComparisonData) -> None:
    folders = [folder for folder in (evaluation / "models").iterdir() if folder.name not in ("longer", "random")]
    found = gather(load(folders))
    derived, shipped = (next(row for row in each.models if row.kind == "longer") for each in (found, data))
    assert derived.is_baseline
    assert {name: score.official.value for name, score in derived.scores.items()} == {
        name: score.official.value for name, score in shipped.scores.items()
    }
    assert derived.scores["rm-bench"].subsets == shipped.scores["rm-bench"].subsets
    gaps = [{row.benchmark: row.panel.gap for row in each.panels if row.model == derived.name} for each in (found, data)]
    assert gaps[0] == gaps[1]


def test_one_model_alone(evaluation: Path) -> None:
    folder = next(folder for folder in (evaluation / "models").iterdir() if "weak" in folder.name)
    found = gather(load([folder]), show_published=False)
    assert {(row.one, row.other) for row in found.differences} == {("weak", "the longer reply wins")}
    assert (found.homogeneity.agreements, found.published) == ([], [])
    assert "1 model on 4 of the seven benchmarks" in comparison_words(found)[0].text


def test_rules_alone_are_a_report_too(evaluation: Path) -> None:
    # The share of failures for each model was once divided by the number of models, of which there were none.
    folders = [evaluation / "models" / name for name in ("longer", "random")]
    found = gather(load(folders))
    assert (found.differences, found.failures, found.reliabilities, found.correlations) == ([], [], [], [])
    words = comparison_words(found)
    assert (
        words[0].text == "No model on 4 of the seven benchmarks; rows to compare with: the longer reply wins and random scores."
    )
    page = render(found.model_copy(update={"words": words}))
    assert "No model was given, only rules" in page
    assert "the longer reply wins" in page
