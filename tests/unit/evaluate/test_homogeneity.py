"""Agreement of models against scikit-learn's kappa and the krippendorff package."""

import krippendorff
import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from goldsmith.evaluate.homogeneity import agreement, all_pairs, alpha, kappa, orientation

RANDOM = np.random.default_rng(5)
ONE, OTHER = RANDOM.choice([1, 1, 1, -1, 0], 400), RANDOM.choice([1, 1, -1, 0], 400)
ITEMS = [f"item-{number}" for number in range(400)]


def test_kappa_is_scikit_learns() -> None:
    found = kappa(ONE, OTHER, (-1, 0, 1), list(range(400)), seed=0)
    assert found.value == pytest.approx(cohen_kappa_score(ONE, OTHER))
    assert found.low < found.value < found.high


def test_both_kappas_of_two_models_are_scikit_learns() -> None:
    turned = orientation(ITEMS, 0)
    found = agreement("one", "other", (ONE, OTHER), ITEMS, ITEMS, seed=0)
    assert found.decisions.value == pytest.approx(cohen_kappa_score(ONE * turned, OTHER * turned))
    assert found.errors.value == pytest.approx(cohen_kappa_score(ONE > 0, OTHER > 0))
    assert found.same.value == pytest.approx(float((ONE == OTHER).mean()))


def test_good_models_that_fail_independently_agree_in_decisions_and_not_in_errors() -> None:
    right = np.where(RANDOM.random((2, 4000)) < 0.9, 1, -1)
    items = [str(number) for number in range(4000)]
    found = agreement("one", "other", (right[0], right[1]), items, items, seed=0)
    # Both right or both wrong in .81 + .01 of all; against a coin's 1/2 that is kappa .64, against their accuracies 0.
    assert found.decisions.value == pytest.approx(0.64, abs=0.03)
    assert found.errors.low < 0 < found.errors.high


def test_a_copy_agrees_in_everything() -> None:
    found = agreement("one", "copy", (ONE, ONE), ITEMS, ITEMS, seed=0)
    assert (found.same.value, found.decisions.value, found.errors.value) == (1.0, 1.0, 1.0)


def test_two_that_are_always_right_have_no_kappa_of_errors() -> None:
    found = agreement("one", "other", ([1, 1, 1], [1, 1, 1]), ["a", "b", "c"], ["a", "b", "c"], seed=0)
    assert (found.errors.value, found.errors.reason) == (None, "nothing to compare")


def test_orientation_turns_half_and_hangs_on_id_and_seed_alone() -> None:
    turned = orientation(ITEMS, 1)
    assert set(turned.tolist()) == {-1, 1}
    assert 160 < int((turned == 1).sum()) < 240
    assert orientation(ITEMS[::-1], 1).tolist() == turned.tolist()[::-1]
    assert orientation(ITEMS, 2).tolist() != turned.tolist()


def test_models_are_compared_on_what_both_decided() -> None:
    decisions = {"one": {"a": 1, "b": -1, "c": 1}, "two": {"b": -1, "c": 1, "d": 0}, "three": {"a": 1}}
    found = all_pairs(decisions, dict.fromkeys("abcd", "p"), seed=0)
    assert [(row.one, row.other, row.same.num_pairs) for row in found] == [
        ("one", "two", 2),
        ("one", "three", 1),
        ("two", "three", 0),
    ]
    assert (found[0].same.value, found[2].same.value) == (1.0, None)


def test_alpha_is_that_of_the_krippendorff_package() -> None:
    decisions = {"one": {"a": 1, "b": -1, "c": 1}, "two": {"a": 1, "b": 1, "c": 0}, "three": {"b": -1, "c": 1}}
    turn = dict(zip("abc", orientation(list("abc"), 3).tolist(), strict=True))
    table = [[column.get(item, np.nan) * turn[item] for item in "abc"] for column in decisions.values()]
    expected = krippendorff.alpha(reliability_data=table, level_of_measurement="nominal")
    assert alpha(decisions, seed=3) == pytest.approx(expected)
    assert alpha({"one": {"a": 1}, "two": {"b": 1}}, seed=3) is None
