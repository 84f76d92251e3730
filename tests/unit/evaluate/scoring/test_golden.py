"""Published numbers and stored scores of others, reproduced exactly."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from goldsmith.evaluate.engines.score_file import ERROR_MARK, read_scores
from goldsmith.evaluate.scoring import rewardbench, rewardbench2
from goldsmith.evaluate.scoring.decide import by_games, by_scores
from goldsmith.evaluate.scoring.groups import group_means
from goldsmith.evaluate.scoring.judgebench import CATEGORIES, single_game

SPLIT_SOURCES = {"mmlu-pro": "Knowledge", "livebench-reasoning": "Reasoning", "livebench-math": "Math", "livecodebench": "Coding"}
MEAN_OF_FIVE = [
    "ppe-correctness-mean-of-five-2dp-Claude", "ppe-correctness-mean-of-five-3dp-InternLM2-20B-Reward",
    "ppe-correctness-mean-of-five-3dp-Internlm2-20B-reward",
]  # fmt: skip
OWN_TESTS = {
    "pandalm-annotator-kappa": "tests/unit/judge/test_recorded.py",
    "pandalm-judges-vs-majority": "tests/unit/judge/test_recorded.py",
    "llmbar-evaluators": "tests/unit/judge/test_recorded.py",
}
"""Entries about agreement of judges with people, which other tests reproduce."""


@pytest.fixture(scope="module")
def golden(data_dir: Path) -> dict[str, Any]:
    entries = json.loads((data_dir / "golden" / "golden.json").read_text(encoding="utf-8"))["entries"]
    return {entry["id"]: entry for entry in entries}


def lines(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


def category(source: str) -> str:
    return next(name for start, name in SPLIT_SOURCES.items() if source.startswith(start))


def percentages(credits: list[tuple[str, float]]) -> tuple[list[float], dict[str, list[int]], float]:
    """By category and over all: percent to two decimals, [right, of], and the mean of the categories' percents."""
    by_name = {name: [credit for found, credit in credits if found == name] for name in CATEGORIES}
    by_name["Overall"] = [credit for _, credit in credits]
    shares = [100 * sum(found) / len(found) for found in by_name.values()]
    counts = {name: [int(sum(found)), len(found)] for name, found in by_name.items()}
    return [round(share, 2) for share in shares], counts, sum(shares[:-1]) / 4


@pytest.mark.parametrize(
    "model", ["Skywork_Skywork-Reward-Gemma-2-27B", "Skywork_Skywork-Reward-Llama-3.1-8B", "internlm_internlm2-20b-reward"]
)
def test_judgebench_s_stored_reward_models(data_dir: Path, golden: dict[str, Any], model: str) -> None:
    expected = golden[f"judgebench-rm-{model}"]["expected"]
    rows = lines(data_dir / golden[f"judgebench-rm-{model}"]["feeds"])
    single, double, tied = [], [], []
    for row in rows:
        games = row["models"][model]["games"]
        better = 0 if row["label"] == "A>B" else 1
        scores = games[0]["scores"]
        decision = by_scores(scores, [(better, 1 - better)])[0]
        credit = single_game(decision, label_is_second=better == 1)
        assert credit is not None
        single.append((category(row["source"]), credit))
        flipped = {"A>B": "B>A", "B>A": "A>B"}[games[1]["decision"]]
        verdicts = [1 if told == row["label"] else -1 for told in (games[0]["decision"], flipped)]
        double.append((category(row["source"]), float(by_games([verdicts])[0] == "right")))
        if decision == "tie":
            tied.append(row["pair_id"])
    percent, counts, macro = percentages(single)
    assert percent == expected["single_game_pct"] == golden[f"judgebench-rm-{model}"]["published"]["values"]
    assert counts == expected["correct_of_total"]
    assert round(macro, 4) == expected["macro_avg_pct"]
    assert percentages(double)[0] == expected["two_game_pct"]
    assert sorted(tied) == sorted(expected["tied_pair_ids"])


def test_judgebench_s_stored_judge(data_dir: Path, golden: dict[str, Any]) -> None:
    entry = golden["judgebench-judge-arena_hard-o1-mini"]
    rows = lines(data_dir / entry["feeds"])
    flipped = {"A>B": "B>A", "B>A": "A>B", "A=B": "A=B", None: None}
    credits = []
    for row in rows:
        told = [row["decisions"][0], flipped[row["decisions"][1]]]
        games = [None if found is None else 0 if found == "A=B" else 1 if found == row["label"] else -1 for found in told]
        credits.append((category(row["source"]), float(by_games([games])[0] == "right")))
    percent, counts, _ = percentages(credits)
    assert percent == entry["expected"]["two_game_pct"]
    assert counts == entry["expected"]["correct_of_total"]


def test_rmb_s_stored_reward_model(data_dir: Path, golden: dict[str, Any]) -> None:
    entry = golden["rmb-armorm-idea-development-pairwise"]
    stored = read_scores(data_dir / entry["feeds"])
    decisions = [by_scores(found.scores, [(0, 1)])[0] for found in stored.values()]
    expected = entry["expected"]
    assert (len(decisions), decisions.count("right"), decisions.count("tie")) == (
        expected["n"],
        expected["correct"],
        expected["ties_scored_wrong"],
    )
    assert decisions.count("right") / len(decisions) == expected["accuracy"]


def test_rewardbench_s_sections(golden: dict[str, Any]) -> None:
    entry = golden["rewardbench-v1-readme-beaver-cost"]
    sections = rewardbench.section_scores(entry["inputs"])
    assert {name: float(score) for name, score in sections.items()} == entry["expected"]["sections"]
    assert float(rewardbench.overall(sections)[0]) == pytest.approx(entry["expected"]["overall_mean_of_4"], abs=1e-15)
    guard = golden["rewardbench-v1-mathprm-weight-guard"]["expected"]
    assert float(sections["Reasoning"]) == guard["Reasoning_with_984"] != guard["Reasoning_if_447_were_used_WRONG"]


def test_rewardbench_2_s_ties(golden: dict[str, Any]) -> None:
    entry = golden["rewardbench-v2-ties-hand"]
    rows = []
    for row in entry["inputs"]:
        kind, number = row["id"].split(":")
        correct = row["num_correct"]
        rows.append(
            rewardbench2.TiesRow(kind=kind, number=number, correct=row["scores"][:correct], incorrect=row["scores"][correct:])
        )
    means = group_means(rewardbench2.ties_terms(rows), seed=0, resamples=10)
    expected = entry["expected"]
    found = [float(means[name][0]) for name in ("ties ref", "ties tied", "ties preferred", "ties preferred hard", "ties margin")]
    names = ("ref_accuracy", "tied_accuracy", "correctness_preferred", "correctness_preferred_hard", "margin_score")
    assert found == [pytest.approx(expected[name], abs=1e-15) for name in names]
    score = rewardbench2.ties_score(means)
    assert score is not None
    assert float(score[0]) == pytest.approx(expected["ties_score"], abs=1e-15)


def test_rewardbench_2_s_best_of_4(golden: dict[str, Any]) -> None:
    entry = golden["rewardbench-v2-bo4"]
    found = [rewardbench2.best_of_4([float(score) for score in row]) for row in entry["inputs"]]
    assert found == entry["expected"]["per_prompt"]
    assert float(np.mean(found)) == pytest.approx(entry["expected"]["subset_score"], abs=1e-15)


def test_rmb_s_overall_is_the_mean_of_four_cells(golden: dict[str, Any]) -> None:
    from goldsmith.evaluate.scoring.groups import partial
    from goldsmith.evaluate.scoring.rmb import CELLS

    for row in golden["rmb-overall-mean-of-four"]["inputs"].values():
        found, _ = partial("overall", {cell: np.array([value]) for cell, value in zip(CELLS, row, strict=False)}, CELLS, "")
        assert found.value == pytest.approx(row[4], abs=0.001 + 1e-9)


@pytest.mark.parametrize("name", MEAN_OF_FIVE)
def test_ppe_correctness_s_mean_of_five(golden: dict[str, Any], name: str) -> None:
    from goldsmith.evaluate.scoring.groups import partial
    from goldsmith.evaluate.scoring.ppe_correctness import SETS

    places = 0.005 if "2dp" in name else 0.0005
    for row in golden[name]["inputs"].values():
        found, _ = partial("mean", {part: np.array([value]) for part, value in zip(SETS, row, strict=False)}, SETS, "")
        # The five columns are rounded themselves, so their mean may be off by as much again.
        assert found.value == pytest.approx(row[5], abs=2 * places + 1e-9)


def test_ppe_preference_s_accuracy(golden: dict[str, Any]) -> None:
    entry = golden["ppe-human-synthetic"]
    credits = []
    for row in entry["inputs"]:
        side = {"model_a": 0, "model_b": 1}.get(row["winner"])
        if side is not None:
            credits.append(by_scores(row["s"], [(side, 1 - side)])[0] == "right")
    expected = entry["expected"]
    assert (len(credits), sum(credits), sum(credits) / len(credits)) == (
        expected["non_tie_pairs"],
        expected["correct"],
        expected["accuracy"],
    )


def test_ppe_preference_s_printed_cells_are_counts_of_pairs_of_twenty_models(golden: dict[str, Any]) -> None:
    entry = golden["ppe-human-table-cells"]
    pairs = 20 * 19 // 2
    for row in entry["inputs"].values():
        _, _, separability, agreement, tau, _, _ = row
        for cell, of in ((separability, pairs), (agreement, 132)):
            assert abs(cell / 100 * of - round(cell / 100 * of)) < 0.01 * of / 100 + 1e-6
        discordant = (1 - tau / 100) / 2 * pairs
        assert abs(discordant - round(discordant)) < 0.01 * pairs / 200 + 1e-6


def test_every_computable_entry_has_a_test(golden: dict[str, Any]) -> None:
    here = Path(__file__).read_text(encoding="utf-8")
    computable = [name for name, entry in golden.items() if entry["computable"]]
    missing = [name for name in computable if name not in here and not name.startswith("judgebench-rm-")]
    assert missing == []


def test_ppe_s_mark_of_a_failed_score_is_no_score(tmp_path: Path) -> None:
    path = tmp_path / "MATH.json"
    path.write_text(
        json.dumps([{"question_id": 1, "model_name": "one", "score_1": [0.5], "score_2": ERROR_MARK}]), encoding="utf-8"
    )
    stored = read_scores(path)["ppe-correctness", "MATH/1/one"]
    assert stored.scores == (0.5, None)
    assert "reply 1" in stored.reason
