"""Bars that are chosen by what probabilities promise, against sums by hand."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from goldsmith.config.curate import CurateConfig
from goldsmith.curate.bars import Bars, bars_of, promising
from goldsmith.curate.decide import ACTIONS, decide
from goldsmith.curate.evidence import evidence

BELIEF = np.array([0.6, 0.99, 0.9, 0.7, 0.3])


@pytest.mark.parametrize(
    ("precision", "above"),
    # Means of the surest: 0.99, 0.945, 0.8633, 0.7975.
    [(0.995, []), (0.95, [0.99]), (0.945, [0.99, 0.9]), (0.86, [0.99, 0.9, 0.7]), (0.7, [0.99, 0.9, 0.7, 0.6])],
)
def test_the_largest_set_whose_mean_reaches_the_precision(precision: float, above: list[float]) -> None:
    bar = promising(BELIEF, precision)
    assert sorted(BELIEF[bar < BELIEF], reverse=True) == above
    assert 0.5 <= bar <= 1.0


def test_equal_beliefs_stand_or_fall_together_and_rounding_moves_none_across() -> None:
    belief = np.array([0.9, 0.8, 0.8, 0.6])
    bar = promising(belief, 0.8)
    assert (belief > bar).tolist() == [True, True, True, False]
    assert ((belief - 1e-9) > bar).tolist() == [True, True, True, False]


def test_nobody_reaches_a_promise_that_no_belief_keeps() -> None:
    assert promising(np.array([0.2, 0.4]), 0.6) == 1.0
    assert promising(np.array([]), 0.6) == 1.0


def test_a_promise_decides_in_place_of_the_fixed_bar() -> None:
    known = evidence(["first"] * 5, [0.0] * 5, [0.0] * 5, stack=BELIEF.tolist())
    action = lambda config: [ACTIONS[code] for code in decide(known, config).action]
    fixed = CurateConfig(keep_rule="joint", sure_above=0.65)
    assert action(fixed) == ["drop", "keep", "keep", "keep", "flip"]
    assert action(CurateConfig(keep_rule="joint", keep_precision=0.945, flip_precision=0.7)) == [
        "drop",
        "keep",
        "keep",
        "drop",
        "flip",
    ]
    assert action(CurateConfig(keep_rule="joint", keep_precision=0.945, flip_precision=0.8)) == [
        "drop",
        "keep",
        "keep",
        "drop",
        "drop",
    ]
    assert bars_of(BELIEF, np.ones(5), fixed) == Bars(keep=0.65, flip=0.65)


def test_a_promise_without_the_rule_that_keeps_it_is_an_error() -> None:
    with pytest.raises(ValidationError, match='keep_precision needs keep_rule = "joint", not "stack"'):
        CurateConfig(keep_rule="stack", keep_precision=0.9)
