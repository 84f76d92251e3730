from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

from goldsmith.reward.logistic import best_temperature, fit_logistic, log_loss, principal_basis


def test_fit_equals_a_general_optimiser():
    random = np.random.default_rng(0)
    rows, weight = random.normal(size=(80, 6)), random.uniform(0.5, 1.5, size=80)

    def objective(beta):
        return np.average(np.log1p(np.exp(-rows @ beta)), weights=weight) + 0.05 * beta @ beta

    expected = minimize(objective, np.zeros(6), method="BFGS", options={"gtol": 1e-10}).x
    np.testing.assert_allclose(fit_logistic(rows, 0.1, weight), expected, atol=1e-6)


def test_one_dimension_by_hand():
    # Two pairs, differences +1 and -1, weights 3 and 1: without penalty sigmoid(beta) = 3/4, so beta = log 3.
    beta = fit_logistic(np.array([[1.0], [-1.0]]), 1e-9, np.array([1.5, 0.5]))
    np.testing.assert_allclose(beta, [np.log(3.0)], atol=1e-5)


def test_separable_rows_stay_finite():
    assert np.isfinite(fit_logistic(np.eye(3) * 100.0, 1e-6, np.ones(3))).all()


def test_basis_is_orthonormal_and_loses_nothing():
    random = np.random.default_rng(1)
    for shape in ((5, 40), (40, 5)):
        rows = random.normal(size=shape)
        coordinates, basis = principal_basis(rows)
        np.testing.assert_allclose(basis.T @ basis, np.eye(basis.shape[1]), atol=1e-9)
        np.testing.assert_allclose(coordinates @ basis.T, rows, atol=1e-9)


def test_the_cap_keeps_the_largest_components():
    coordinates, basis = principal_basis(np.diag([3.0, 2.0, 1.0, 0.5]), most=2)
    np.testing.assert_allclose(np.abs(basis), [[1, 0], [0, 1], [0, 0], [0, 0]], atol=1e-9)
    np.testing.assert_allclose(np.abs(coordinates).sum(0), [3.0, 2.0])


def test_temperature_recovers_the_scale_of_overconfident_margins():
    random = np.random.default_rng(2)
    true = random.normal(size=20_000)
    sign = np.where(random.uniform(size=20_000) < 1 / (1 + np.exp(-true)), 1.0, -1.0)
    assert abs(best_temperature(4.0 * true * sign, np.ones(20_000)) - 4.0) < 0.3


def test_log_loss_by_hand():
    # log(1 + e^0) = log 2 with weight 1, log(1 + e^-log 3) = log(4/3) with weight 3.
    expected = (np.log(2.0) + 3.0 * np.log(4.0 / 3.0)) / 4.0
    np.testing.assert_allclose(log_loss(np.array([0.0, np.log(3.0)]), np.array([1.0, 3.0])), expected)


def test_temperature_of_a_small_set_without_errors_is_not_certainty():
    # Ten margins of 1, all right: the likelihood with one wrong in 12 is best at sigmoid(1 / T) = 11/12, so 1 / T = log 11.
    np.testing.assert_allclose(best_temperature(np.ones(10), np.ones(10)), 1 / np.log(11.0), rtol=1e-4)
