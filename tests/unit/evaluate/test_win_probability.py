"""Calibration against scikit-learn and hand sums; the temperature is fitted on other prompts than it is judged by."""

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, log_loss

from goldsmith.evaluate.statistics import expected_calibration_error
from goldsmith.evaluate.win_probability import fitted_reliability, reliability

RANDOM = np.random.default_rng(9)


def true_margins(count: int, scale: float) -> np.ndarray:
    """Margins whose sigmoid at temperature `scale` is the true probability."""
    margins = RANDOM.normal(0, 2, count)
    wins = RANDOM.random(count) < 1 / (1 + np.exp(-np.abs(margins)))
    return scale * np.where(wins, np.abs(margins), -np.abs(margins))


def test_scores_are_scikit_learns() -> None:
    margins = true_margins(500, 1.0)
    found = reliability(margins, list(range(500)), seed=0)
    p = 1 / (1 + np.exp(-margins))
    assert found.brier.value == pytest.approx(brier_score_loss(np.ones(500), p, pos_label=1))
    assert found.log_loss == pytest.approx(log_loss(np.ones(500), p, labels=[0, 1]))
    confidence = np.maximum(p, 1 - p)
    assert found.error.value == pytest.approx(expected_calibration_error(confidence, margins > 0, bins=20))


def test_bins_hold_every_decision_once() -> None:
    margins = np.concatenate([true_margins(300, 1.0), [0.0, 0.0, 800.0, -800.0]])
    found = reliability(margins, list(range(304)), seed=0)
    assert sum(part.right.num_pairs for part in found.bins) == 302
    assert found.num_ties == 2
    assert all(part.low <= part.confidence <= part.high for part in found.bins)


def test_by_hand() -> None:
    # sigmoid(ln 3) = 0.75 three times right, once wrong: calibrated, Brier 3/4 (1/4)^2 + 1/4 (3/4)^2 = 0.1875.
    margins = np.log(3) * np.array([1, 1, 1, -1])
    found = reliability(margins, list("pqrs"), seed=0)
    assert found.error.value == pytest.approx(0.0, abs=1e-12)
    assert found.brier.value == pytest.approx(0.1875)
    assert (len(found.bins), found.bins[0].right.value) == (1, 0.75)


def test_a_temperature_mends_what_is_only_a_matter_of_scale() -> None:
    margins = true_margins(4000, 5.0)
    raw, fitted = reliability(margins, list(range(4000)), seed=0), fitted_reliability(margins, list(range(4000)), seed=0)
    assert fitted is not None
    assert fitted.temperature == pytest.approx(5.0, rel=0.15)
    assert raw.error.value > 0.1
    assert fitted.error.value < 0.03


def test_a_half_is_judged_by_the_other_halfs_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def temperature(margins: np.ndarray) -> float:
        seen.append(sorted(margins.tolist()))
        return 1.0 + len(seen)

    monkeypatch.setattr("goldsmith.evaluate.win_probability._temperature", temperature)
    margins = np.arange(1, 61, dtype=float)
    found = fitted_reliability(margins, [f"p{number // 2}" for number in range(60)], seed=0)
    assert found is not None
    half, other = seen[0], seen[1]
    assert sorted(half + other) == margins.tolist()
    assert all((2 * k + 1 in half) == (2 * k + 2 in half) for k in range(30))  # a prompt is never on both sides
    # The first fit gave 2 and serves the second half: the mean log loss is that of margin / 3 and margin / 2.
    scaled = np.concatenate([np.array(half) / 3.0, np.array(other) / 2.0])
    assert found.log_loss == pytest.approx(float(np.logaddexp(0, -scaled).mean()))


def test_too_few_decisions_are_not_fitted() -> None:
    assert fitted_reliability([1.0, -1.0, 2.0], ["p", "q", "r"], seed=0) is None
    assert fitted_reliability(np.zeros(100), list(range(100)), seed=0) is None


def test_no_decision_has_no_figures() -> None:
    found = reliability([0.0, 0.0], ["p", "q"], seed=0)
    assert (found.error.value, found.log_loss, found.bins, found.num_ties) == (None, None, [], 2)
