"""Panels by hand sums: a rule that knows only length, and one that never looks at it."""

import numpy as np
import pytest

from goldsmith.evaluate.shortcuts import LENGTH_BINS, count_panel, length_panel, position_panel


def test_a_rule_of_length_has_a_gap_of_one() -> None:
    right, wrong = [100, 100, 10, 10, 50], [10, 50, 100, 30, 50]
    signs = [1, 1, -1, -1, 0]
    panel = length_panel(signs, right, wrong, list("pqrst"), seed=0)
    assert (panel.accuracy_more.value, panel.accuracy_less.value, panel.gap.value) == (1.0, 0.0, 1.0)
    assert (panel.prefers.value, panel.label.value, panel.num_even) == (1.0, 0.5, 1)
    # Ratios 10, 2, 0.1, 1/3 and 1.
    assert [panel.bins[name].num_pairs for name in LENGTH_BINS] == [2, 0, 1, 0, 2]
    assert panel.bins["twice or more"].value == 1.0
    assert panel.bins["about the same"].value == 0.0  # a tie is wrong


def test_mistakes_alone_make_no_gap() -> None:
    # Labels prefer the longer in 75 of 100; the model is right in 60 % either way, so it prefers the longer in .6*.75 + .4*.25 = 55 %.
    longer = np.array([True] * 75 + [False] * 25)
    signs = np.concatenate([[1] * 45, [-1] * 30, [1] * 15, [-1] * 10])
    panel = length_panel(signs, np.where(longer, 20, 10), np.where(longer, 10, 20), list(range(100)), seed=0)
    assert panel.gap.value == pytest.approx(0.0)
    assert panel.prefers.value == pytest.approx(0.55)
    assert panel.label.value == pytest.approx(0.75)
    assert panel.gap.low < 0 < panel.gap.high


@pytest.mark.parametrize(
    ("right", "wrong", "name"),
    [(49, 100, 0), (50, 100, 1), (80, 100, 2), (124, 100, 2), (125, 100, 3), (200, 100, 4), (0, 5, 0), (5, 0, 4), (0, 0, 2)],
)
def test_edges_of_length(right: int, wrong: int, name: int) -> None:
    panel = length_panel([1, 1], [right, 7], [wrong, 7], ["p", "q"], seed=0)
    expected = [0, 0, 1, 0, 0]
    expected[name] += 1
    assert [panel.bins[bin_name].num_pairs for bin_name in LENGTH_BINS] == expected


def test_counts_have_fewer_as_many_and_more() -> None:
    panel = count_panel("format", [1, -1, 1, 1], [0, 3, 2, 5], [4, 3, 1, 0], list("pqrs"), seed=0)
    assert {name: (bin_.value, bin_.num_pairs) for name, bin_ in panel.bins.items()} == {
        "fewer": (1.0, 1),
        "as many": (0.0, 1),
        "more": (1.0, 2),
    }
    assert panel.num_even == 1


def test_a_judge_that_takes_the_first_is_seen() -> None:
    right_is_first = [True, False] * 20
    panel = position_panel([1, -1] * 20, right_is_first, list(range(40)), seed=0)
    assert (panel.prefers.value, panel.label.value, panel.gap.value) == (1.0, 0.5, 1.0)


def test_swapping_a_decision_mirrors_the_gap() -> None:
    signs, right, wrong = np.array([1, 1, -1, 1, -1, -1]), np.array([5, 6, 7, 1, 2, 3]), np.array([1, 1, 1, 9, 9, 9])
    there = length_panel(signs, right, wrong, list(range(6)), seed=0).gap.value
    back = length_panel(signs, wrong, right, list(range(6)), seed=0).gap.value
    assert there == pytest.approx(2 / 3 - 1 / 3)
    assert back == pytest.approx(-there)


def test_nothing_differs() -> None:
    panel = length_panel([1, -1], [5, 5], [5, 5], ["p", "q"], seed=0)
    assert (panel.gap.value, panel.gap.reason, panel.num_even) == (None, "nothing to compare", 2)
