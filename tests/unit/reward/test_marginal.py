"""The head of evidence against an independent minimiser of what its docstring states, and on sources whose noise is known."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import minimize

from goldsmith.reward.head import fit_head
from goldsmith.reward.marginal import PRECISION, fit_marginal


def _sigmoid(values: Any) -> Any:
    return 1.0 / (1.0 + np.exp(-values))


def _loss(point: Any, rows: Any, p_first: Any, weight: Any) -> float:
    """Of the module's docstring, summed over pairs, with the prior."""
    q = _sigmoid(rows @ point)
    return float(-(weight * np.log(p_first * q + (1.0 - p_first) * (1.0 - q))).sum() + PRECISION / 2.0 * point @ point)


def test_it_is_the_mode_of_the_stated_likelihood_for_each_head_s_weights() -> None:
    rng = np.random.default_rng(0)
    rows, p_first = rng.normal(size=(120, 4)), rng.choice([0.0, 0.2, 0.5, 0.7, 1.0], 120)
    weight = np.stack([np.ones(120), rng.integers(0, 3, 120), np.zeros(120)], axis=1).astype(float)
    found = fit_marginal(rows, p_first, weight)
    for column in range(2):
        best = minimize(_loss, np.zeros(4), args=(rows, p_first, weight[:, column]), tol=1e-12).x
        np.testing.assert_allclose(found[:, column], best, atol=2e-3)
    assert (found[:, 2] == 0.0).all()


def test_certain_evidence_is_a_label_and_even_evidence_says_nothing() -> None:
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(200, 5))
    p_first = (rng.random(200) < _sigmoid(rows[:, 0])).astype(float)
    alone = fit_marginal(rows, p_first, np.ones((200, 1)))
    sided = minimize(
        lambda w: np.logaddexp(0.0, -np.where(p_first > 0, 1.0, -1.0) * (rows @ w)).sum() + PRECISION / 2.0 * w @ w,
        np.zeros(5),
        tol=1e-12,
    ).x
    np.testing.assert_allclose(alone[:, 0], sided, atol=2e-3)
    beside = np.concatenate([rows, rng.normal(size=(300, 5))]), np.concatenate([p_first, np.full(300, 0.5)])
    # Up to the penalty's share, which counts the pairs: the prior itself is worth the same.
    np.testing.assert_allclose(fit_marginal(*beside, np.ones((500, 1)))[:, 0], alone[:, 0], atol=2e-3)


def test_replies_that_change_places_change_nothing() -> None:
    rng = np.random.default_rng(2)
    rows, p_first = rng.normal(size=(100, 3)), rng.random(100)
    turned = np.arange(100) % 3 == 0
    again = fit_marginal(np.where(turned[:, None], -rows, rows), np.where(turned, 1.0 - p_first, p_first), np.ones((100, 1)))
    np.testing.assert_allclose(again, fit_marginal(rows, p_first, np.ones((100, 1))), atol=1e-9)


def test_weak_sources_do_not_flatten_what_is_learned_as_soft_labels_do() -> None:
    """A source is right in 95 % where the first feature is small and in 60 % where it is large; the truth follows two features alike."""
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(20_000, 2))
    is_first = rng.random(20_000) < _sigmoid(rows @ [1.5, 1.5])
    rate = np.where(np.abs(rows[:, 0]) < 0.7, 0.95, 0.6)
    says_first = is_first ^ (rng.random(20_000) > rate)
    evidence = np.where(says_first, rate, 1.0 - rate)
    found = fit_marginal(rows, evidence, np.ones((20_000, 1)))[:, 0]
    np.testing.assert_allclose(found, [1.5, 1.5], atol=0.2)
    # The same as soft labels: a pair in both directions, by its shares.
    first = np.concatenate([rows, np.zeros_like(rows)])
    soft = fit_head(first, first[::-1], [str(at) for at in range(40_000)], [1e-4], weights=np.concatenate([evidence, 1.0 - evidence[::-1]]), calibrate=False)  # fmt: skip
    assert soft.weight[0] < 0.5 * soft.weight[1]
