"""Agreement with the hand: sums by hand, and the two conditions of the gate, each where the other holds."""

import numpy as np
import pytest

from goldsmith.attributes.quality import FEWEST, measure_degrees, measure_labels, shared


def test_accuracy_kappa_and_baseline_by_hand() -> None:
    # 40 pairs: 24 low, 16 high. The source says low for 20 of the low and 4 of the high.
    truth = ["low"] * 24 + ["high"] * 16
    answers = ["low"] * 20 + ["high"] * 4 + ["low"] * 4 + ["high"] * 12
    found = measure_labels("s", "controversiality", truth, answers, num_failed=2, seed=0)
    assert found.accuracy == pytest.approx(32 / 40)
    assert found.baseline == pytest.approx(24 / 40)
    # Chance: 24/40 x 24/40 + 16/40 x 16/40 = 0.52; (0.8 - 0.52) / 0.48.
    assert found.kappa == pytest.approx(0.28 / 0.48)
    # Wilson for 32 of 40, by its formula with z = 1.96: centre 0.7737, half 0.1213.
    assert (found.low, found.high) == (pytest.approx(0.6524, abs=1e-3), pytest.approx(0.8950, abs=1e-3))
    assert (found.num_pairs, found.num_failed) == (40, 2)
    # The standard error of kappa (J. Cohen 1960): sqrt(0.8 x 0.2 / (40 x 0.48^2)) = 0.132, so about 0.325 to 0.841.
    assert found.kappa_low == pytest.approx(0.325, abs=0.06)
    assert found.kappa_high == pytest.approx(0.841, abs=0.06)
    assert found.used


def test_right_frequencies_without_a_look_at_the_pair_are_chance() -> None:
    truth = ["a"] * 50 + ["b"] * 50
    answers = ["a", "b"] * 50
    found = measure_labels("s", "task", truth, answers, seed=0)
    assert found.kappa == pytest.approx(0.0)
    assert not found.used
    assert "chance" in found.reason


def test_a_constant_answer_is_never_used() -> None:
    found = measure_labels("s", "controversiality", ["low"] * 180 + ["high"] * 20, ["low"] * 200, seed=0)
    assert (found.accuracy, found.baseline) == (pytest.approx(0.9), pytest.approx(0.9))
    assert found.kappa == pytest.approx(0.0)
    assert not found.used


def test_a_positive_kappa_is_not_enough_where_a_constant_answer_is_as_good() -> None:
    # 100 rare of 200 found at the cost of as many common ones: 160 common, 40 rare.
    truth = ["common"] * 160 + ["rare"] * 40
    answers = ["common"] * 140 + ["rare"] * 20 + ["common"] * 20 + ["rare"] * 20
    found = measure_labels("s", "controversiality", truth, answers, seed=0)
    assert found.accuracy == pytest.approx(0.8)
    assert found.kappa_low is not None
    assert found.kappa_low > 0
    assert not found.used


def test_a_source_that_is_always_wrong_is_below_chance() -> None:
    found = measure_labels("s", "task", ["a", "b"] * 30, ["b", "a"] * 30, seed=0)
    assert found.kappa == pytest.approx(-1.0)
    assert not found.used


def test_all_right_has_an_interval_all_the_same() -> None:
    found = measure_labels("s", "task", ["a", "b"] * 20, ["a", "b"] * 20, seed=0)
    assert found.accuracy == 1.0
    assert found.low is not None
    # Wilson for 40 of 40: 1 / (1 + 3.8416 / 40).
    assert found.low == pytest.approx(1 / (1 + 3.8416 / 40), abs=1e-3)
    assert found.used


def test_one_label_for_everybody_has_no_kappa_and_proves_nothing() -> None:
    found = measure_labels("s", "task", ["a"] * 40, ["a"] * 40, seed=0)
    assert found.kappa is None
    assert not found.used


@pytest.mark.parametrize("total", [0, 1, FEWEST - 1])
def test_too_few_pairs_prove_nothing(total: int) -> None:
    found = measure_labels("s", "task", ["a", "b"][:1] * total, ["a", "b"][:1] * total, seed=0)
    assert found.accuracy is None
    assert not found.used
    assert str(FEWEST) in found.reason


def test_degrees_by_hand() -> None:
    # 20 pairs in two halves: within a half answers resemble by 0.8, across by 0.2; hands by 1 and 0.
    half = np.kron(np.eye(2), np.ones((10, 10)))
    found = measure_degrees("s", "guideline", 0.2 + 0.6 * half, half, seed=0)
    assert found.accuracy == pytest.approx(0.8)
    assert found.baseline == pytest.approx(0.5)
    # Chance is the mean of all, 0.5: (0.8 - 0.5) / (1 - 0.5).
    assert found.kappa == pytest.approx(0.6)
    assert found.used


def test_lists_of_qualities() -> None:
    assert shared(["Accuracy", "brevity"], ["accuracy", "tone"]) == pytest.approx(1 / 3)
    assert shared(["safety"], ["safety"]) == 1.0
    assert shared([], []) == 1.0
    assert shared(["a"], []) == 0.0


def test_the_same_seed_gives_the_same_interval() -> None:
    truth, answers = ["a", "b", "c"] * 20, ["a", "b", "b"] * 20
    assert measure_labels("s", "task", truth, answers, seed=5) == measure_labels("s", "task", truth, answers, seed=5)
