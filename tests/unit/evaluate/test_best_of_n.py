"""Best-of-N against hand sums, and against the mean over every subset of the replies (an independent definition)."""

from itertools import combinations, permutations
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.evaluate.best_of_n import best_of_n, expected_best, selection_weights


def by_enumeration(scores: list[float | None], quality: list[float]) -> list[float]:
    """B(k) as its definition: every k replies equally likely, the top-scored one picked, equal tops equally likely."""
    values = [-np.inf if score is None else score for score in scores]
    curve = []
    for k in range(1, len(values) + 1):
        total = 0.0
        for drawn in combinations(range(len(values)), k):
            top = max(values[place] for place in drawn)
            best = [quality[place] for place in drawn if values[place] == top]
            total += sum(best) / len(best)
        curve.append(total / comb(len(values), k))
    return curve


def test_three_replies_by_hand() -> None:
    # Scores 3 > 2 > 1, truth 1, 0, 1. k=1: 2/3. k=2: {3,2} -> 1, {3,1} -> 1, {2,1} -> 0: 2/3. k=3: the first: 1.
    assert expected_best([3.0, 2.0, 1.0], [1, 0, 1]) == pytest.approx([2 / 3, 2 / 3, 1.0])


def test_equal_scores_share() -> None:
    # All equal: whatever is drawn, the pick is the mean of the drawn: B(k) = 1/4 for every k.
    assert expected_best([5.0] * 4, [1, 0, 0, 0]) == pytest.approx([0.25] * 4)
    # Two at the top, one right one wrong, one right below: k=1: 2/3; k=2: {top, top} 1/2, {right, low} 1, {wrong, low} 0: 1/2; k=3: 1/2.
    assert expected_best([2.0, 2.0, 1.0], [1, 0, 1]) == pytest.approx([2 / 3, 0.5, 0.5])


def test_a_failed_score_is_picked_last() -> None:
    # The failed reply is picked only alone: k=1: 1/2; k=2: the other one.
    assert expected_best([None, 0.0], [1, 0]) == pytest.approx([0.5, 0.0])
    assert expected_best([None, None], [1, 0]) == pytest.approx([0.5, 0.5])


def test_weights_are_the_published_ones_and_sum_to_one() -> None:
    weights = selection_weights(32)
    assert weights.sum(axis=0) == pytest.approx(np.ones(32))
    assert weights[0, 1] == pytest.approx(2 / 32)  # the best of 32 is among two drawn with probability 2/32
    assert weights[3, 7] == pytest.approx(comb(28, 7) / comb(32, 8))
    assert weights[:, 0] == pytest.approx(np.full(32, 1 / 32))


scores = st.lists(st.one_of(st.none(), st.integers(-2, 2).map(float)), min_size=1, max_size=6)


@given(scores, st.data())
def test_closed_form_is_the_mean_over_all_draws(values: list[float | None], data: st.DataObject) -> None:
    quality = data.draw(st.lists(st.sampled_from([0.0, 1.0, 0.5]), min_size=len(values), max_size=len(values)))
    assert expected_best(values, quality) == pytest.approx(by_enumeration(values, quality))


@given(st.permutations(range(5)))
def test_order_of_the_replies_does_not_matter(order: list[int]) -> None:
    values, quality = [1.0, 2.0, 2.0, None, 0.0], [1.0, 0.0, 1.0, 1.0, 0.0]
    shuffled = expected_best([values[place] for place in order], [quality[place] for place in order])
    assert shuffled == pytest.approx(expected_best(values, quality))


@given(scores)
def test_truth_as_the_score_is_never_beaten(values: list[float | None]) -> None:
    quality = [float(place % 2) for place in range(len(values))]
    assert (expected_best(quality, quality) >= expected_best(values, quality) - 1e-12).all()


def test_random_order_is_the_mean_quality_on_average() -> None:
    quality = [1.0, 0.0, 0.0, 1.0]
    curves = [expected_best([float(value) for value in order], quality) for order in permutations(range(4))]
    assert np.mean(curves, axis=0) == pytest.approx([0.5] * 4)


def test_curve_averages_lists_and_cuts_at_the_shortest() -> None:
    curve = best_of_n([[2.0, 1.0, 0.0], [1.0, 2.0]], [[1, 0, 0], [1, 0]], ["p", "q"], seed=0)
    # First list: 1/3, 2/3 (the best is in two of three pairs), 1; second: 1/2, 0. Cut at two: means 5/12 and 1/3.
    assert curve is not None
    assert curve.quality == pytest.approx((5 / 12, 1 / 3))
    assert curve.perfect == pytest.approx((5 / 12, 5 / 6))
    assert curve.loss.value == pytest.approx(0.25)  # mean of 0 and 5/6 - 1/3
    assert (curve.max_score.value, curve.end_score.value) == pytest.approx((5 / 12, 1 / 3))
    assert (curve.size, curve.num_lists, curve.num_failed) == (2, 2, 0)


def test_groups_weigh_alike_whatever_their_size() -> None:
    scores, quality = [[1.0, 0.0]] * 4, [[1, 0], [1, 0], [1, 0], [0, 1]]
    curve = best_of_n(scores, quality, list("pqrs"), groups=["a", "a", "a", "b"], seed=0)
    assert curve is not None
    assert curve.quality == pytest.approx((0.5, 0.5))  # group a has 1 at k=2, group b 0
    plain = best_of_n(scores, quality, list("pqrs"), seed=0)
    assert plain is not None
    assert plain.quality == pytest.approx((0.5, 0.75))


def test_interval_is_that_of_independent_lists() -> None:
    # B(2) of a list of two is 1 or 0: 300 of 400 are 1, half = 1.96 sqrt(.75 .25 / 400) = 0.0424.
    quality = [[1, 0]] * 300 + [[0, 1]] * 100
    curve = best_of_n([[1.0, 0.0]] * 400, quality, list(range(400)), seed=0)
    assert curve is not None
    assert curve.end_score.value == pytest.approx(0.75)
    assert curve.end_score.high - curve.end_score.low == pytest.approx(0.0849, abs=0.01)
    assert (curve.low[1], curve.high[1]) == pytest.approx((curve.end_score.low, curve.end_score.high))


def test_bad_input_is_refused_and_nothing_is_nothing() -> None:
    assert best_of_n([], [], [], seed=0) is None
    with pytest.raises(ValueError, match="NaN"):
        expected_best([1.0, float("nan")], [1, 0])
    with pytest.raises(ValueError, match="1 scores for 2 replies"):
        expected_best([1.0], [1, 0])
