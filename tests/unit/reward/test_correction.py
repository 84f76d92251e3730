"""The correction against an independent minimiser of what its docstring states, and on labels whose taste is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize

from goldsmith.reward.correction import SCALE_SPREAD, SPREAD, corrected


def _gold(count: int = 40, width: int = 5, seed: int = 0) -> tuple[Any, ...]:
    rng = np.random.default_rng(seed)
    difference = rng.normal(size=(count, width))
    silver = rng.normal(size=width)
    margin = difference @ silver + 0.3 * rng.normal(size=count)
    is_first = difference @ rng.normal(size=width) + margin > 0
    return silver, margin, difference, is_first, np.linspace(0.5, 2.0, width)


def test_it_is_the_mode_of_the_stated_model() -> None:
    silver, margin, difference, is_first, scale = _gold()
    spread = np.sqrt(np.mean(margin**2))
    sign = np.where(is_first, 1.0, -1.0)

    def loss(point: Any) -> float:
        a, b = point[0], point[1:]
        told = sign * (a * margin / spread + difference / scale @ b)
        return float(np.logaddexp(0.0, -told).sum() + ((a - 1.0) / SCALE_SPREAD) ** 2 / 2 + (b @ b) / SPREAD**2 / 2)

    best = minimize(loss, np.r_[1.0, np.zeros(len(silver))], tol=1e-12).x
    expected = best[0] / spread * silver + best[1:] / scale
    np.testing.assert_allclose(corrected(silver, margin, difference, is_first, scale), expected, atol=1e-4)


def test_a_pair_worth_two_is_a_pair_that_stands_twice() -> None:
    silver, margin, difference, is_first, scale = _gold()
    worth = np.where(np.arange(len(margin)) < 10, 2.0, np.where(np.arange(len(margin)) < 15, 0.0, 1.0))
    rows = np.repeat(np.arange(len(margin)), worth.astype(int))
    found = corrected(silver, margin, difference, is_first, scale, worth)
    np.testing.assert_allclose(found, corrected(silver, margin[rows], difference[rows], is_first[rows], scale), atol=1e-6)


def test_replies_that_change_places_change_nothing() -> None:
    silver, margin, difference, is_first, scale = _gold()
    turned = np.arange(len(margin)) % 2 == 0
    sign = np.where(turned, -1.0, 1.0)
    found = corrected(silver, margin, difference, is_first, scale)
    again = corrected(silver, sign * margin, sign[:, None] * difference, is_first ^ turned, scale)
    np.testing.assert_allclose(again, found, atol=1e-9)


def test_a_head_that_says_nothing_of_gold_leaves_it_to_people() -> None:
    _, margin, difference, is_first, scale = _gold()
    found = corrected(np.zeros(5), np.zeros_like(margin), difference, is_first, scale)
    assert ((difference @ found > 0) == is_first).mean() > 0.8


@pytest.mark.parametrize("seed", range(3))
def test_a_taste_that_all_doubtful_labels_share_is_undone_by_few_of_people_s(seed: int) -> None:
    rng = np.random.default_rng(seed)
    width, truth = 40, np.zeros(40)
    truth[0], truth[1] = 2.0, 2.0
    # Judges see the first direction and take the second, which is half of the truth, for its opposite.
    silver = truth * np.where(np.arange(width) == 1, -1.0, 1.0)
    gold, fresh = rng.normal(size=(120, width)), rng.normal(size=(4000, width))
    is_first = rng.random(120) < 1.0 / (1.0 + np.exp(-gold @ truth))
    scale = np.full(width, np.sqrt(width))

    def right(weight: Any) -> float:
        return float(((fresh @ weight > 0) == (fresh @ truth > 0)).mean())

    alone = corrected(np.zeros(width), np.zeros(120), gold, is_first, scale)
    found = corrected(silver, gold @ silver, gold, is_first, scale)
    # The judges' head and the truth are at right angles: half of its choices are right.
    assert right(silver) == pytest.approx(0.5, abs=0.03)
    assert right(found) > max(right(silver) + 0.2, 0.7)
    assert right(alone) > 0.7
