"""Strict comparison, ties, missing scores, and a judge's two games."""

import math

from hypothesis import given
from hypothesis import strategies as st

from goldsmith.evaluate.scoring.decide import all_right, by_games, by_scores, outcome_of, share_right

FINITE = st.floats(allow_nan=False, allow_infinity=False)


def test_equality_is_a_tie_and_a_missing_score_is_a_failure() -> None:
    scores = [1.0, 0.5, 1.0, None, math.nan, math.inf]
    comparisons = [(0, 1), (1, 0), (0, 2), (0, 3), (4, 0), (5, 0), (0, 5)]
    assert by_scores(scores, comparisons) == ["right", "wrong", "tie", "failed", "failed", "right", "wrong"]


@given(st.lists(FINITE, min_size=2, max_size=6))
def test_turning_a_comparison_round_turns_its_answer_round(scores: list[float]) -> None:
    turned = {"right": "wrong", "wrong": "right", "tie": "tie"}
    pairs = [(one, other) for one in range(len(scores)) for other in range(len(scores)) if one != other]
    there = by_scores(scores, pairs)
    back = by_scores(scores, [(other, one) for one, other in pairs])
    assert [turned[decision] for decision in there] == back


@given(st.lists(FINITE, min_size=2, max_size=6), st.sampled_from([1.0, 0.5, 4.0]))
def test_only_the_order_of_scores_counts(scores: list[float], scale: float) -> None:
    pairs = [(0, place) for place in range(1, len(scores))]
    ranks = {value: float(rank) for rank, value in enumerate(sorted(set(scores)))}
    assert by_scores(scores, pairs) == by_scores([ranks[score] * scale for score in scores], pairs)


def test_games_are_added_up() -> None:
    # Right twice; right and tie; right and nothing; right and wrong; tie twice; wrong and tie; nothing at all.
    games = [[1, 1], [1, 0], [1, None], [1, -1], [0, 0], [-1, 0], [None, None]]
    assert by_games(games) == ["right", "right", "right", "tie", "tie", "wrong", "failed"]


def test_a_failure_is_never_a_win_and_only_hides_what_it_could_change() -> None:
    assert all_right(["right", "failed"]) is None
    assert all_right(["wrong", "failed"]) == 0.0
    assert all_right(["tie"]) == 0.0
    assert all_right([]) is None
    assert share_right(["right", "failed", "wrong", "tie"]) == 0.25
    assert share_right(["failed", "failed"]) is None


def test_outcomes() -> None:
    assert outcome_of([], None) == "unlabelled"
    assert outcome_of(["failed"], None) == "failed"
    assert outcome_of(["tie"], 1.0) == "tie"  # JudgeBench reads equality as B>A, which may be right
    assert outcome_of(["right", "wrong"], 0.5) == "partly"
    assert outcome_of(["right"], 1.0) == "right"
    assert outcome_of(["wrong", "tie"], 0.0) == "wrong"
