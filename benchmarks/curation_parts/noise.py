"""Labels that are wrong, and judges that are: at a rate that is met exactly, uniformly or in favour of length or formatting."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

Kind = Literal["uniform", "length", "format", "as-they-came"]
STRENGTH = {"uniform": 0.0, "length": 1.5, "format": 1.5, "as-they-came": 0.0}
"""Log-odds by which one standard deviation of difference, against the better reply, raises the chance of a wrong label."""
JUDGE_STRENGTH = 1.0


def chance_wrong(truth: Any, difference: Any, rate: float, strength: float) -> Any:
    """Return each pair's chance of a wrong label: sigmoid(c - strength * z), mean exactly `rate`.

    Args:
        truth: whether `first` is better, [N].
        difference: log ratio of first over second in length or formatting, [N].
        rate: share of wrong labels overall.
        strength: see `STRENGTH`; z is the difference in the better reply's favour over its root mean square.
    """
    toward = np.where(truth, difference, -np.asarray(difference))
    z = toward / max(float(np.sqrt(np.mean(toward**2))), 1e-12)
    low, high = -30.0, 30.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if _sigmoid(middle - strength * z).mean() < rate else (low, middle)
    return _sigmoid((low + high) / 2 - strength * z)


def noisy_labels(truth: Any, length: Any, format: Any, kind: Kind, rate: float, seed: int) -> Any:
    """Return labels, whether `first` is preferred, [N]."""
    if kind == "as-they-came":
        return np.asarray(truth, dtype=bool).copy()
    wrong = chance_wrong(truth, format if kind == "format" else length, rate, STRENGTH[kind])
    return np.asarray(truth, dtype=bool) ^ (_uniform(seed, 1, len(truth)) < wrong)


def judge_choices(truth: Any, length: Any, accuracy: float, seed: int) -> Any:
    """Return a judge's choices, [N]: right at the rate `accuracy`, wrong where the worse reply is longer; one a pair, whatever is asked again."""
    wrong = chance_wrong(truth, length, 1.0 - accuracy, JUDGE_STRENGTH)
    return np.asarray(truth, dtype=bool) ^ (_uniform(seed, 2, len(truth)) < wrong)


def _uniform(seed: int, stream: int, count: int) -> Any:
    return np.random.default_rng((seed, stream)).random(count)


def _sigmoid(values: Any) -> Any:
    return 0.5 * (1.0 + np.tanh(0.5 * np.asarray(values)))
