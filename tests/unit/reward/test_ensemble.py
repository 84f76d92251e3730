from __future__ import annotations

import numpy as np
import pytest

from goldsmith.errors import UserError
from goldsmith.reward.ensemble import FILE, HeadEnsemble, fit_ensemble
from goldsmith.reward.head import feature_scale, fit_head

L2 = (1e-2,)


def _data(contexts, seed=0, width=6):
    rng = np.random.default_rng(seed)
    truth = np.arange(1.0, width + 1)
    chosen, rejected = rng.normal(size=(2, 2 * contexts, width))
    wrong = (chosen - rejected) @ truth + rng.logistic(size=2 * contexts) * 3 < 0
    chosen[wrong], rejected[wrong] = rejected[wrong], chosen[wrong].copy()
    return chosen, rejected, [f"c{number // 2}" for number in range(2 * contexts)]


def _heads(contexts, num_heads=8, seed=7, **more):
    chosen, rejected, groups = _data(contexts)
    return fit_ensemble(fit_head(chosen, rejected, groups, L2), chosen, rejected, groups, num_heads, seed, **more)


def test_each_head_is_the_optimum_of_its_own_draw_of_contexts():
    chosen, rejected, groups = _data(20)
    head = fit_head(chosen, rejected, groups, L2)
    found = fit_ensemble(head, chosen, rejected, groups, 3, 7)
    scale = feature_scale(chosen, rejected)
    rows = (chosen - rejected) / scale
    names = sorted(set(groups))
    for index, weight in enumerate(found.weight):
        drawn = np.random.default_rng((7, index)).integers(20, size=20)
        # The draw written out: every context's pairs as often as it was drawn.
        repeated = rows[[row for context in drawn for row in range(40) if groups[row] == names[context]]]
        solution = weight.astype(np.float64) * head.temperature * scale
        miss = 1 / (1 + np.exp(repeated @ solution))
        np.testing.assert_allclose(L2[0] * solution - (repeated * miss[:, None]).mean(0), 0, atol=1e-5)
    assert len({weight.tobytes() for weight in found.weight}) == 3


def test_the_seed_decides_and_pairs_of_no_weight_do_not_count():
    assert np.array_equal(_heads(10).weight, _heads(10).weight)
    assert not np.array_equal(_heads(10).weight, _heads(10, seed=8).weight)
    chosen, rejected, groups = _data(12)
    weights = np.array([1.0] * 20 + [0.0] * 4)
    head = fit_head(chosen, rejected, groups, L2, weights=weights)
    found = fit_ensemble(head, chosen, rejected, groups, 4, 1, weights)
    chosen[20:] *= -1.0
    np.testing.assert_allclose(
        fit_ensemble(head, chosen, rejected, groups, 4, 1, weights).weight, found.weight, rtol=0.2, atol=0.2
    )


def test_standard_deviation_by_hand():
    heads = HeadEnsemble(weight=np.array([[1, 0], [3, 0]], np.float32), center=np.array([1, 5], np.float32), seed=0)
    # Centred first coordinates 0 and 2: scores 0, 0 and 2, 6; deviations 0 and sqrt(2 * 2^2 / 1).
    np.testing.assert_allclose(heads.std([[1, 9], [3, 9]]), [0.0, 8**0.5])


def test_a_constant_that_no_pair_can_tell_changes_no_uncertainty():
    chosen, rejected, groups = _data(15)
    head = fit_head(chosen, rejected, groups, L2)
    plain = fit_ensemble(head, chosen, rejected, groups, 6, 0)
    moved = fit_ensemble(head, chosen + 100, rejected + 100, groups, 6, 0)
    np.testing.assert_allclose(moved.std(chosen + 100), plain.std(chosen), rtol=1e-3)


def test_more_contexts_make_it_more_certain():
    few, many = _heads(25, num_heads=24), _heads(400, num_heads=24)
    probe = np.random.default_rng(5).normal(size=(50, 6))
    # Sixteen times the contexts: a quarter of the spread, relative to the size of the weights.
    ratio = (many.std(probe) / np.linalg.norm(many.weight)).mean() / (few.std(probe) / np.linalg.norm(few.weight)).mean()
    assert 0.1 < ratio < 0.5


def test_saved_and_loaded_it_is_the_same_and_damage_is_named(tmp_path):
    heads = _heads(10)
    assert HeadEnsemble.load(tmp_path, heads.weight.shape[1]) is None
    heads.save(tmp_path)
    again = HeadEnsemble.load(tmp_path, heads.weight.shape[1])
    assert again is not None
    assert again.weight.dtype == again.center.dtype == np.float32
    assert np.array_equal(again.weight, heads.weight)
    assert np.array_equal(again.center, heads.center)
    assert again.seed == 7
    (tmp_path / FILE).write_bytes(b"broken")
    with pytest.raises(UserError, match=f"{FILE}: cannot be read"):
        HeadEnsemble.load(tmp_path, heads.weight.shape[1])
