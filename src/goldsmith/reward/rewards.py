"""What scoring gives back: raw rewards as plain numbers, and what else is known of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from goldsmith.reward.calibration import Calibration

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Reward:
    """The reward of one reply, or why there is none: exactly one of `value` and `failure` is set.

    Attributes:
        value: raw logit, finite.
        failure: the reason, naming the row and the remedy.
        by_head: logits of the K bootstrap heads, float32 [K]; K is 0 for a model without them.
        cut: tokens that truncation took away.
        tokens: of the whole conversation, before truncation; 0 where it could not be rendered.
    """

    value: float | None
    failure: str | None = None
    by_head: NDArray[np.float32] | None = None
    cut: int = 0
    tokens: int = 0


class Rewards(list[float]):
    """Raw rewards in the order of the replies; higher is better, and only differences within one context mean something.

    Attributes:
        rewards: each reward with its bootstrap logits and its truncation.
        calibration: how differences become probabilities.
    """

    def __init__(self, rewards: Sequence[Reward], calibration: Calibration) -> None:
        """Hold rewards that all have a value."""
        super().__init__(float(reward.value) for reward in rewards if reward.value is not None)
        self.rewards, self.calibration = list(rewards), calibration

    @property
    def is_calibrated(self) -> bool:
        """Win probabilities use a fitted temperature."""
        return self.calibration.is_fitted

    @property
    def deviations(self) -> list[float] | None:
        """Standard deviation of each reward over the bootstrap heads; None for a model without them."""
        found = [deviation(reward.by_head) for reward in self.rewards]
        return None if any(value is None for value in found) or not found else [value for value in found if value is not None]

    @property
    def cut(self) -> list[int]:
        """Tokens that truncation took from each conversation."""
        return [reward.cut for reward in self.rewards]

    def win_probability(self, one: int = 0, other: int = 1) -> float:
        """Return the probability that the reply at index `one` beats the one at `other`; both must answer the same context."""
        return self.calibration.probability(self[one] - self[other])

    def margin_deviation(self, one: int = 0, other: int = 1) -> float | None:
        """Return the standard deviation of the difference of two rewards over the bootstrap heads, None without them."""
        return margin_deviation(self.rewards[one], self.rewards[other])


def deviation(by_head: NDArray[np.float32] | None) -> float | None:
    """Return the sample standard deviation of K >= 2 logits; None without them, or when one is not finite."""
    if by_head is None or len(by_head) < 2:
        return None
    value = float(by_head.astype("float64").std(ddof=1))
    return value if math.isfinite(value) else None


def margin_deviation(one: Reward, other: Reward) -> float | None:
    """Return the standard deviation of the difference of two rewards; their errors are correlated, so it is taken head by head."""
    if one.by_head is None or other.by_head is None:
        return None
    return deviation(one.by_head - other.by_head)
