"""Estimates against closed forms and hand sums."""

from math import sqrt

import numpy as np
import pytest

from goldsmith.evaluate.statistics import accuracy, expected_calibration_error, paired_difference, wilson


def test_interval_of_independent_pairs_is_the_normal_one() -> None:
    correct = [1, 1, 1, 0] * 100
    estimate = accuracy(correct, list(range(400)), seed=1)
    half = 1.96 * sqrt(0.75 * 0.25 / 400)  # 0.0424
    assert estimate.value == 0.75
    assert (estimate.num_pairs, estimate.num_contexts, estimate.method) == (400, 400, "cluster-bootstrap")
    assert estimate.low == pytest.approx(0.75 - half, abs=0.006)
    assert estimate.high == pytest.approx(0.75 + half, abs=0.006)


def test_pairs_of_one_prompt_count_as_one_draw() -> None:
    # 100 prompts of four pairs that are all right or all wrong: as uncertain as 100 pairs, not 400.
    correct = np.repeat([1, 1, 1, 0] * 25, 4)
    estimate = accuracy(correct, np.repeat(np.arange(100), 4), seed=2)
    half = 1.96 * sqrt(0.75 * 0.25 / 100)  # 0.0849
    assert estimate.num_contexts == 100
    assert estimate.low == pytest.approx(0.75 - half, abs=0.015)
    assert estimate.high == pytest.approx(0.75 + half, abs=0.015)


def test_prompts_of_unequal_size_follow_the_ratio_estimator() -> None:
    sizes, shares = np.array([1, 9] * 100), np.array([1.0, 1 / 3] * 50 + [0.0, 2 / 3] * 50)
    sums = sizes * shares
    correct = np.concatenate([[1] * int(s) + [0] * int(n - s) for n, s in zip(sizes, np.rint(sums), strict=True)])
    estimate = accuracy(correct, np.repeat(np.arange(200), sizes), seed=3)
    mean = np.rint(sums).sum() / sizes.sum()
    residuals = np.rint(sums) - mean * sizes
    half = 1.96 * sqrt((residuals**2).mean() / 200) / sizes.mean()  # linearised ratio (Cochran)
    assert estimate.value == pytest.approx(mean)
    assert estimate.high - estimate.low == pytest.approx(2 * half, rel=0.1)


def test_two_prompts_give_the_only_three_possible_means() -> None:
    # Resamples of {1, 0}: 0 and 1 with probability 1/4 each, 1/2 otherwise.
    estimate = accuracy([1, 0], ["p", "q"], seed=4)
    assert (estimate.low, estimate.value, estimate.high) == (0.0, 0.5, 1.0)


def test_ties_are_wrong_and_counted() -> None:
    estimate = accuracy([1, 1, 0, 1], ["a", "b", "c", "d"], ties=[False, True, True, False], seed=5)
    assert (estimate.value, estimate.num_ties) == (0.5, 2)


def test_nothing_and_one_prompt_say_why() -> None:
    nothing = accuracy([], [], seed=0)
    assert (nothing.value, nothing.low, nothing.high, nothing.reason) == (None, None, None, "no pairs")
    single = accuracy([1, 0, 1, 1], ["p"] * 4, seed=0)
    assert (single.value, single.low, single.num_contexts) == (0.75, None, 1)
    assert "one prompt" in (single.reason or "")


def test_all_right_is_not_certain() -> None:
    estimate = accuracy([1] * 20, np.repeat(np.arange(10), 2), seed=0)
    # Wilson of 10 of 10: 10 / (10 + 1.96^2) = 0.7225
    assert estimate.method == "wilson"
    assert estimate.low == pytest.approx(0.7225, abs=1e-4)
    assert estimate.high == pytest.approx(1.0)
    all_wrong = accuracy([0] * 10, range(10), seed=0)
    assert all_wrong.high == pytest.approx(0.2775, abs=1e-4)


def test_order_of_pairs_does_not_matter_and_seed_does() -> None:
    correct, contexts = np.array([1, 0, 0, 1, 1, 0, 1, 1] * 5), np.array([f"c{i // 2}" for i in range(40)])
    order = np.random.default_rng(0).permutation(40)
    once, again = accuracy(correct, contexts, seed=6), accuracy(correct[order], contexts[order], seed=6)
    assert (once.low, once.high) == (again.low, again.high)


def test_paired_difference_matches_the_normal_interval() -> None:
    # Of 100 prompts the first model wins 20 the other loses, loses 10, and 70 are equal: mean 0.10, variance 0.30 - 0.01.
    one, other = [1] * 20 + [0] * 10 + [1] * 70, [0] * 20 + [1] * 10 + [1] * 70
    estimate = paired_difference(one, other, range(100), seed=7)
    half = 1.96 * sqrt(0.29 / 100)  # 0.1055
    assert estimate.value == pytest.approx(0.10)
    assert estimate.low == pytest.approx(0.10 - half, abs=0.02)
    assert estimate.high == pytest.approx(0.10 + half, abs=0.02)
    assert not estimate.excludes_zero


def test_paired_difference_is_antisymmetric_in_value_and_refuses_unequal_numbers() -> None:
    one, other, contexts = [1, 0, 1, 1], [0, 0, 1, 0], [1, 2, 3, 4]
    assert paired_difference(one, other, contexts, seed=0).value == 0.5
    assert paired_difference(other, one, contexts, seed=0).value == -0.5
    with pytest.raises(ValueError, match="same pairs"):
        paired_difference([1], [1, 0], [1, 2], seed=0)
    with pytest.raises(ValueError, match="one prompt id"):
        accuracy([1, 0], ["a"], seed=0)


def test_two_models_that_agree_everywhere_differ_by_nothing() -> None:
    estimate = paired_difference([1, 0, 1], [1, 0, 1], ["a", "b", "c"], seed=0)
    assert (estimate.value, estimate.low, estimate.high, estimate.excludes_zero) == (0.0, 0.0, 0.0, False)
    assert paired_difference([], [], [], seed=0).value is None


@pytest.mark.parametrize(("right", "num"), [(31, 60), (0, 7), (7, 7), (1, 1000)])
def test_wilson_solves_its_quadratic(right: int, num: int) -> None:
    # The bounds are the roots of (share - x)^2 = z^2 x (1 - x) / num.
    share, squared = right / num, 3.841458820694124
    roots = np.sort(np.roots([1 + squared / num, -(2 * share + squared / num), share * share]).real)
    assert wilson(right, num) == pytest.approx(tuple(np.clip(roots, 0, 1)), abs=1e-9)


def test_wilson_of_nothing() -> None:
    assert wilson(0, 0) is None


def test_calibration_error_by_hand() -> None:
    # Bin 0.9: stated 1.8, seen 1 -> 0.8; bin 0.6: stated 1.2, seen 2 -> 0.8; (0.8 + 0.8) / 4 = 0.4.
    assert expected_calibration_error([0.9, 0.9, 0.6, 0.6], [1, 0, 1, 1]) == pytest.approx(0.4)
    # Within one bin the gaps cancel: (0.61 + 0.69 - 1.3 seen...) stated 1.3, seen 1 -> 0.3 / 2.
    assert expected_calibration_error([0.61, 0.69], [1, 0]) == pytest.approx(0.15)
    assert expected_calibration_error([1.0, 0.0], [1, 0]) == 0.0
    assert expected_calibration_error([], []) is None
