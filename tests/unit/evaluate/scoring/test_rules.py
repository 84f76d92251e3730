"""The rule of each benchmark on items whose numbers are added up by hand in comments; and what the four shipped engines must get."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import bench_files
from goldsmith.evaluate.engines.engine import Answer
from goldsmith.evaluate.scoring import rewardbench, rewardbench2
from goldsmith.evaluate.scoring.ppe_correctness import area_under_curve
from goldsmith.evaluate.scoring.ppe_ranking import bradley_terry
from scored import accuracies, answered, metrics, scored


def test_rewardbench_weighs_math_prm_as_the_six_code_subsets_together(tmp_path: Path) -> None:
    rows = [
        bench_files.rewardbench(0, "math-prm"),
        bench_files.rewardbench(1, "hep-python"),
        bench_files.rewardbench(2, "hep-go"),
    ]
    result = scored(tmp_path, "rewardbench", rows, [(1, 0), (0, 1), (1, 1)])
    # Reasoning = (984 * 1 + 164 * 0 + 164 * 0) / (984 + 164 + 164) = 0.75; the other three sections are empty and score 0.
    assert accuracies(result, "section") == {"Reasoning": 0.75}
    assert result.official.value == pytest.approx(0.75 / 4)
    assert metrics(result)["overall, of the sections that are there"] == 0.75
    assert result.total.num_ties == 1
    assert not result.is_complete


def test_prior_sets_are_a_fifth_section_of_half_weight() -> None:
    sections = {name: np.array([1.0]) for name in rewardbench.WEIGHTS}
    found = rewardbench.with_prior_sets(sections, {"shp": np.array([0.4]), "summarize": np.array([0.2])})
    # (4 * 2 * 1 + 1 * 0.3) / 9
    assert found is not None
    assert found[0] == pytest.approx(8.3 / 9)
    assert rewardbench.with_prior_sets(sections, {}) is None


def test_best_of_4_splits_ties_with_the_chosen() -> None:
    assert [rewardbench2.best_of_4(scores) for scores in ([2, 2, 1, 0], [1, 1, 1, 1], [0, 1, 1, 1], [math.inf, 0, 0, 0])] == [
        0.5,
        0.25,
        0,
        1,
    ]
    with pytest.raises(ValueError, match="numbers"):
        rewardbench2.best_of_4([math.nan, 0, 0, 0])


@given(st.lists(st.integers(-3, 3), min_size=4, max_size=4), st.permutations([1, 2, 3]))
def test_best_of_4_does_not_depend_on_the_order_of_the_rejected(scores: list[int], order: list[int]) -> None:
    turned = [scores[0], *(scores[place] for place in order)]
    assert rewardbench2.best_of_4(scores) == rewardbench2.best_of_4(turned)
    # Over all four in the chosen's place, the shares of the winners add up to 1.
    places = [[scores[place], *(scores[:place] + scores[place + 1 :])] for place in range(4)]
    assert sum(rewardbench2.best_of_4(row) for row in places) == pytest.approx(1.0)


def test_rewardbench_2_is_the_mean_of_six_subsets_and_undefined_without_one(tmp_path: Path) -> None:
    subsets = ["Factuality", "Precise IF", "Math", "Safety", "focus"]
    rows = [bench_files.rewardbench2(place, name) for place, name in enumerate(subsets)] + [
        bench_files.ties(0),
        bench_files.ties(0, "ref", 1),
    ]
    scores = [(1, 0, 0, 0), (0, 1, 0, 0), (1, 1, 0, 0), (1, 0, 0, 0), (1, 0, 0, 0), (4, 3, 1, 0), (5, 1, 0)]
    result = scored(tmp_path, "rewardbench-2", rows, scores)
    # Ties: both accurate (0.6); spread 1, gap 2 > 1 and min(2, 4) > 1 (0.4); margin tanh(2 / 1 - 1).
    ties = 1.0 + 0.01 * math.tanh(1.0)
    assert accuracies(result, "subset")["Ties"] == pytest.approx(ties)
    assert result.official.value == pytest.approx((1 + 0 + 0.5 + 1 + 1 + ties) / 6)
    partial = scored(tmp_path, "rewardbench-2", rows[:2], scores[:2])
    assert partial.official.value is None
    assert "Ties" in partial.official.reason
    assert metrics(partial)["overall, of what is there"] == 0.5


def test_a_ties_row_without_all_its_scores_is_neither_accurate_nor_preferred(tmp_path: Path) -> None:
    rows = [bench_files.ties(0), bench_files.ties(0, "ref", 1)]
    result = scored(tmp_path, "rewardbench-2", rows, [(4, None, 1, 0), (5, 1, 0)])
    # 0.3 * 0 + 0.3 * 1 + 0 + 0 + 0.01 * -1
    assert accuracies(result, "subset")["Ties"] == pytest.approx(0.29)
    assert result.total.num_failed == 1


def test_a_ties_row_without_gap_or_spread_is_an_error() -> None:
    lone = rewardbench2.TiesRow(kind="tied", number="1", correct=[1.0], incorrect=[0.0])
    bare = rewardbench2.TiesRow(kind="ref", number="1", correct=[1.0], incorrect=[])
    for row in (lone, bare):
        with pytest.raises(ValueError, match="no gap or spread"):
            rewardbench2.ties_terms([row])


def test_a_spread_of_0_gives_the_sign_of_the_margin() -> None:
    assert [rewardbench2.margin_term(margin, 0.0) for margin in (0.0, 2.0, -2.0)] == [0.0, 1.0, -1.0]


def test_ppe_preference_leaves_votes_for_a_tie_out_and_equal_scores_are_wrong(tmp_path: Path) -> None:
    winners = ["model_a", "model_b", "tie", "model_a", "tie (bothbad)"]
    rows = [bench_files.ppe_preference(place, winner) for place, winner in enumerate(winners)]
    result = scored(tmp_path, "ppe-preference", rows, [(1, 0), (1, 0), (1, 0), (0.5, 0.5), (0, 0)])
    # Right, wrong, left out, equal, left out.
    assert result.official.value == pytest.approx(1 / 3)
    assert (result.total.num_items, result.total.num_unlabelled, result.total.num_ties) == (3, 2, 1)
    assert accuracies(result, "prompts") == {"is_code": 1.0}


def test_ppe_correctness_is_micro_over_sampled_pairs(tmp_path: Path) -> None:
    rows = [bench_files.ppe_correctness(0), {**bench_files.ppe_correctness(1), "sampled_conflict_pairs": [[2, 3]]}]
    result = scored(tmp_path, "ppe-correctness", rows, [(3, 2, 1, 0), (0, 0, 1, 1)], file="MATH.jsonl")
    # Row 0: (0,1) right, (2,1) wrong, (0,1) right; row 1: (2,3) equal. 2 of 4; without the repeat 1 of 3.
    assert accuracies(result, "subset") == {"MATH": 0.5}
    assert metrics(result)["pairwise accuracy without repeats, of what is there"] == pytest.approx(1 / 3)
    assert result.official.value is None
    # Best of 4 by the scores: row 0 takes reply 0 (right); row 1 has replies 2 (right) and 3 (wrong) in front, equal.
    assert metrics(result)["best of K, end score, MATH"] == pytest.approx((1 + 0.5) / 2)
    # Row 0: right 3, 1 against wrong 2, 0: (3,2) (3,0) (1,0) of four; row 1: right 0, 1, wrong 0, 1: two halves and one, of four.
    assert metrics(result)["AUC, mean over rows, MATH"] == pytest.approx((0.75 + 0.5) / 2)


@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=12))
def test_area_under_the_curve_is_the_share_of_pairs(rows: list[tuple[int, bool]]) -> None:
    good = [score for score, truth in rows if truth]
    bad = [score for score, truth in rows if not truth]
    found = area_under_curve([score for score, _ in rows], [truth for _, truth in rows])
    if not good or not bad:
        assert found is None
        return
    share = sum(1.0 if one > other else 0.5 if one == other else 0.0 for one in good for other in bad) / (len(good) * len(bad))
    assert found == pytest.approx(share)


def test_rmb_is_the_mean_of_four_cells_and_a_list_is_right_when_its_best_beats_all(tmp_path: Path) -> None:
    rows = [
        bench_files.rmb_pair(0), bench_files.rmb_pair(1), bench_files.rmb_pair(2, category="Code/Other"),
        bench_files.rmb_list(0), bench_files.rmb_list(1), bench_files.rmb_pair(3, "Harmlessness", "S1"), bench_files.rmb_list(3, "Harmlessness", "S1"),
    ]  # fmt: skip
    scores = [(1, 0), (0, 1), (1, 0), (2, 1, 1), (2, 2, 0), (1, 0), (0, 1, 2)]
    result = scored(tmp_path, "rmb", rows, scores)
    assert accuracies(result, "cell") == {
        "Helpfulness pairwise": pytest.approx(2 / 3), "Helpfulness BoN": 0.5, "Harmlessness pairwise": 1.0, "Harmlessness BoN": 0.0,
    }  # fmt: skip
    assert result.official.value == pytest.approx((2 / 3 + 0.5 + 1 + 0) / 4)
    # By categories, helpful pairs are (1/2 + 1) / 2.
    assert metrics(result)["Helpfulness pairwise, by categories"] == 0.75
    assert metrics(result)["BoN cells"] == 0.25
    assert result.chance == pytest.approx((0.5 + 1 / 3 + 0.5 + 1 / 3) / 4)


def test_rm_bench_s_levels_and_its_pooled_safety(tmp_path: Path) -> None:
    rows = [
        bench_files.rmbench(0),
        bench_files.rmbench(1, "safety-refuse"),
        bench_files.rmbench(2, "safety-refuse"),
        bench_files.rmbench(3, "safety-response"),
    ]
    # Chat: chosen 1, 2, 3 and rejected 0, 2, 4, concise to Markdown. Right: (0,0); (1,0); (2,0), (2,1). Equal: (1,1).
    scores = [(1, 2, 3, 0, 2, 4), (1, 1, 1, 0, 0, 0), (1, 1, 1, 0, 0, 0), (0, 0, 0, 1, 1, 1)]
    result = scored(tmp_path, "rm-bench", rows, scores)
    found = metrics(result)
    # Easy (1,0) (2,0) (2,1): 3 of 3. Normal (0,0) (1,1) (2,2): 1 of 3. Hard: none.
    assert (found["easy, chat"], found["normal, chat"], found["hard, chat"]) == (1.0, pytest.approx(1 / 3), 0.0)
    assert accuracies(result, "domain") == {"chat": pytest.approx(4 / 9), "safety": pytest.approx(2 / 3)}
    assert found["safety, mean of its two subsets"] == 0.5
    assert result.official.value is None
    assert result.total.num_ties == 1


def test_judgebench_reads_equal_scores_as_b(tmp_path: Path) -> None:
    labels = ["A>B", "B>A", "A>B", "B>A"]
    rows = [bench_files.judgebench(place, label) for place, label in enumerate(labels)]
    rows.append(bench_files.judgebench(4, "A>B", "livecodebench"))
    result = scored(tmp_path, "judgebench", rows, [(1, 0), (1, 0), (1, 1), (1, 1), (2, 1)])
    # Right, wrong, equal and A: wrong, equal and B: right; right. Micro 3 of 5.
    assert result.official.value == 0.6
    assert accuracies(result, "category") == {"Knowledge": 0.5, "Coding": 1.0}
    assert metrics(result)["two games"] == 0.4
    assert result.paper is not None
    assert result.paper.value is None
    assert metrics(result)["macro, of what is there"] == 0.75


def test_judgebench_s_claude_split_stays_out_of_the_headline(tmp_path: Path) -> None:
    rows = [bench_files.judgebench(0), bench_files.judgebench(1, model="claude-3-5-sonnet-20240620")]
    result = scored(tmp_path, "judgebench", rows, [(1, 0), (0, 1)])
    assert result.official.value == 1.0
    assert metrics(result)["claude split"] == 0.0


def test_a_missing_score_is_counted_and_never_leaves_the_denominator(tmp_path: Path) -> None:
    rows = [bench_files.judgebench(place) for place in range(4)]
    result = scored(tmp_path, "judgebench", rows, [(1, 0), (None, 0), (math.nan, 0), (1, 0)])
    assert result.official.value == 0.5
    assert (result.total.num_items, result.total.num_failed, result.total.accuracy_scored) == (4, 2, 1.0)


def test_a_group_that_is_called_all_is_a_group_like_any_other(tmp_path: Path) -> None:
    rows = [{**bench_files.ppe_preference(place), "language": name} for place, name in enumerate(("English", "all", "English"))]
    result = scored(tmp_path, "ppe-preference", rows, [(1, 0), (0, 1), (1, 0)])
    # Two of three: the row whose language is called `all` weighs as much as the others.
    assert result.official.value == pytest.approx(2 / 3)
    assert result.total.accuracy == pytest.approx(2 / 3)
    assert accuracies(result, "language") == {"English": 1.0, "all": 0.0}


def test_a_model_that_answered_nothing_has_no_score_rather_than_0(tmp_path: Path) -> None:
    rows = [bench_files.judgebench(place) for place in range(3)]
    result = answered(
        tmp_path, "judgebench", rows, lambda _item, _place: Answer(scores=[None, None], reason="the server is down")
    )
    assert result.official.value is None
    assert result.paper is not None
    assert result.paper.value is None
    # The reason stands in many cells; the whole sentence once, in the notes.
    assert (result.official.reason, result.paper.reason) == ("not answered", "not answered")
    assert "none of 3 items was answered: the server is down" in result.notes
    assert (result.total.accuracy, result.total.num_items, result.total.num_failed) == (None, 3, 3)
    assert all(subset.accuracy is None for subset in result.subsets)
    assert result.metrics == []


def test_a_judge_s_games_follow_the_same_rules(tmp_path: Path) -> None:
    rows = [bench_files.rewardbench2(0), bench_files.rewardbench2(1)]
    games: list[list[list[int | None]]] = [[[1, 1], [1, 0], [1, 1]], [[1, 1], [1, -1], [1, 1]]]
    result = answered(tmp_path, "rewardbench-2", rows, lambda _item, place: Answer(games=games[place]))
    assert accuracies(result, "subset") == {"Math": 0.5}


def test_the_interval_resamples_prompts(tmp_path: Path) -> None:
    # One prompt's pairs all right, another's all wrong: whatever the number of pairs, two prompts say little.
    rows = [{**bench_files.judgebench(place), "question": f"question {place % 2}"} for place in range(40)]
    result = scored(tmp_path, "judgebench", rows, [(1, 0) if place % 2 else (0, 1) for place in range(40)])
    assert (result.official.low, result.official.high) == (0.0, 1.0)
    assert result.total.num_prompts == 2


def test_bradley_terry_finds_the_odds() -> None:
    # 300 of 400 games: odds of 3 to 1, but for the little prior.
    ratings = bradley_terry(np.array([[0.0, 300.0], [100.0, 0.0]]))
    assert ratings[0] - ratings[1] == pytest.approx(math.log(3), abs=1e-3)
