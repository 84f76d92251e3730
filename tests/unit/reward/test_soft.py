"""Many fits at once, against one fit at a time by another method."""

from __future__ import annotations

import numpy as np
import pytest

from goldsmith.reward.logistic import fit_logistic, principal_basis
from goldsmith.reward.soft import SoftFits


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    rng = np.random.default_rng(0)
    return (
        rng.normal(size=(300, 8)) * np.array([3.0, 2.0, 1.0, 1.0, 0.5, 0.5, 0.2, 0.1]) @ np.linalg.qr(rng.normal(size=(8, 8)))[0]
    )


def test_every_column_is_newtons_solution_of_its_labels_weights_and_penalty(rows: np.ndarray) -> None:
    rng = np.random.default_rng(1)
    coordinates, _ = principal_basis(rows)
    labels = (rng.random((300, 3)) < 0.7).astype(float)
    weights, l2 = rng.random((300, 3)) * (rng.random((300, 3)) < 0.8), np.array([0.5, 0.05, 0.005])
    found = SoftFits(coordinates).fit(labels, weights, l2)
    for column in range(3):
        sided = np.where(labels[:, [column]] > 0, coordinates, -coordinates)
        np.testing.assert_allclose(found[:, column], fit_logistic(sided, l2[column], weights[:, column]), atol=2e-3)


def test_a_soft_label_is_both_labels_by_their_shares(rows: np.ndarray) -> None:
    share = np.random.default_rng(2).random(300)
    coordinates, _ = principal_basis(rows)
    found = SoftFits(coordinates).fit(share[:, None], np.ones((300, 1)), np.array([0.02]))
    both = fit_logistic(np.concatenate([coordinates, -coordinates]), 0.02, np.concatenate([share, 1.0 - share]))
    np.testing.assert_allclose(found[:, 0], both, atol=2e-3)


def test_no_weight_gives_no_head(rows: np.ndarray) -> None:
    coordinates, _ = principal_basis(rows)
    assert (SoftFits(coordinates).fit(np.ones((300, 1)), np.zeros((300, 1)), np.array([0.1])) == 0).all()
