from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from goldsmith.errors import DataError, UserError
from goldsmith.reward.head import Head, assign_folds, fit_head, out_of_fold_scores


def _planted(num_pairs: int, width: int, noise: float, seed: int):
    """Features of pairs whose chosen reply is ahead along a direction, a share of the labels wrong."""
    random = np.random.default_rng(seed)
    direction = random.normal(size=width)
    one, other = random.normal(size=(num_pairs, width)), random.normal(size=(num_pairs, width))
    swap = ((one - other) @ direction < 0) ^ (random.uniform(size=num_pairs) < noise)
    chosen, rejected = np.where(swap[:, None], other, one), np.where(swap[:, None], one, other)
    return chosen, rejected, [f"context {index // 3}" for index in range(num_pairs)], direction


def test_a_planted_direction_is_found_through_30_percent_noise():
    chosen, rejected, groups, direction = _planted(900, 20, 0.3, seed=0)
    head = fit_head(chosen, rejected, groups, seed=1)
    cosine = head.weight @ direction / np.linalg.norm(head.weight) / np.linalg.norm(direction)
    assert cosine > 0.9
    # 30 % of the labels are wrong, so agreement with the labels is about 70 %.
    assert head.accuracy == pytest.approx(0.7, abs=0.05)


def test_swapping_every_pair_negates_the_head():
    chosen, rejected, groups, _ = _planted(60, 8, 0.1, seed=2)
    forward, backward = fit_head(chosen, rejected, groups), fit_head(rejected, chosen, groups)
    np.testing.assert_allclose(forward.weight, -backward.weight, atol=1e-9)


def test_scale_of_a_dimension_does_not_matter_and_a_constant_one_is_ignored():
    chosen, rejected, groups, _ = _planted(90, 4, 0.1, seed=3)
    head = fit_head(chosen, rejected, groups)
    stretch = np.array([1.0, 1000.0, 0.01, 1.0])
    stretched = fit_head(chosen * stretch, rejected * stretch, groups)
    np.testing.assert_allclose(stretched.weight * stretch, head.weight, rtol=1e-6)
    constant = np.full((90, 1), 7.0)
    more = fit_head(np.hstack([chosen, constant]), np.hstack([rejected, constant]), groups)
    assert more.weight[4] == 0.0


def test_weight_zero_is_as_good_as_absent():
    chosen, rejected, groups, _ = _planted(60, 4, 0.0, seed=4)
    weights = np.r_[np.ones(60), np.zeros(60)]
    doubled = fit_head(
        np.vstack([chosen, rejected]), np.vstack([rejected, chosen]), groups * 2, (0.1,), weights=weights, calibrate=False
    )
    # Standardisation sees both halves, which hold the same replies, so it is equal too.
    np.testing.assert_allclose(doubled.weight, fit_head(chosen, rejected, groups, (0.1,), calibrate=False).weight, atol=1e-9)


def test_margins_are_calibrated_on_held_out_contexts():
    chosen, rejected, groups, _ = _planted(1200, 60, 0.3, seed=5)
    head = fit_head(chosen[:600], rejected[:600], groups[:600])
    p = 1 / (1 + np.exp(-(head.score(chosen[600:]) - head.score(rejected[600:]))))
    confident = np.maximum(p, 1 - p) > 0.65
    right = np.where(p > 0.5, 1.0, 0.0)[confident]
    assert abs(right.mean() - np.maximum(p, 1 - p)[confident].mean()) < 0.06


def test_folds_keep_contexts_whole_and_even():
    groups = [f"context {index % 23}" for index in range(100)]
    folds = assign_folds(groups, 5, seed=0)
    assert all(len({fold for name, fold in zip(groups, folds, strict=True) if name == group}) == 1 for group in set(groups))
    sizes = [len({name for name, fold in zip(groups, folds, strict=True) if fold == wanted}) for wanted in range(5)]
    assert sorted(sizes) == [4, 4, 5, 5, 5]
    assert assign_folds(groups, 5, seed=1).tolist() != folds.tolist()


def test_out_of_fold_scores_know_nothing_of_their_own_context():
    # Labels are pure noise and there are more dimensions than pairs: a head that saw a pair's label reproduces it, one that did not cannot.
    random = np.random.default_rng(6)
    first, second = random.normal(size=(60, 200)), random.normal(size=(60, 200))
    labels = ["first" if draw < 0.5 else "second" for draw in random.uniform(size=60)]
    groups = [f"context {index // 2}" for index in range(60)]
    sign = np.where(np.array(labels) == "first", 1.0, -1.0)
    result = out_of_fold_scores(first, second, labels, groups, (1e-3,))
    seen = sign * (result.head.score(first) - result.head.score(second)) > 0
    unseen = sign * (result.first - result.second) > 0
    assert seen.mean() > 0.99
    assert unseen.mean() < 0.7


def test_untouched_contexts_get_the_whole_head_and_no_fold():
    chosen, rejected, groups, _ = _planted(30, 4, 0.0, seed=7)
    labels = ["first"] * 20 + [None] * 10
    groups[20] = groups[0]  # not trained on itself, but its context is
    result = out_of_fold_scores(chosen, rejected, labels, groups, (0.1,), folds=4)
    assert all(fold is not None for fold in result.fold[:21])
    assert result.fold[20] == result.fold[0]
    assert set(result.fold[21:]) == {None}
    np.testing.assert_array_equal(result.first[21:], result.head.score(chosen[21:]))


def test_bad_input_is_refused():
    features = np.ones((2, 3))
    with pytest.raises(DataError, match="needs pairs"):
        fit_head(np.ones((0, 3)), np.ones((0, 3)), [])
    with pytest.raises(DataError, match="not finite"):
        fit_head(features * np.nan, features, ["x", "y"])
    with pytest.raises(DataError, match="2 finite non-negative numbers"):
        fit_head(features, features, ["x", "y"], weights=[-1.0, 2.0])
    with pytest.raises(DataError, match="at least two contexts"):
        out_of_fold_scores(features, features + 1, ["first", "second"], ["x", "x"])


def test_save_and_load(tmp_path: Path):
    chosen, rejected, groups, _ = _planted(30, 4, 0.1, seed=8)
    head = fit_head(chosen, rejected, groups)
    head.save(tmp_path)
    again = Head.load(tmp_path)
    np.testing.assert_array_equal(again.weight, head.weight)
    assert (again.l2, again.temperature, again.trials, again.digest) == (head.l2, head.temperature, head.trials, head.digest)
    (tmp_path / "head.json").write_text("{")
    with pytest.raises(UserError, match="no head that can be read"):
        Head.load(tmp_path)
