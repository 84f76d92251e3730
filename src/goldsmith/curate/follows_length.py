"""Does a model only follow length, up or down? How often it prefers the longer reply, and how its margin goes with the difference of lengths."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SHARE_ABOVE = 0.95
"""A model that prefers the longer reply in more than this share of pairs, or the shorter one, is called one that follows length."""
CORRELATION_ABOVE = 0.9
"""So is one whose margin has a correlation with the difference of lengths that is farther from 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthSums:
    """Sums over pairs, which add up over partitions: of x = tanh(margin / 2) and y = the log ratio of lengths.

    Attributes:
        decided: pairs whose replies differ in length and whose margin is not 0.
        longer: those of them whose longer reply is preferred.
        num, x, y, xx, yy, xy: number and sums over all pairs.
    """

    decided: int = 0
    longer: int = 0
    num: int = 0
    x: float = 0.0
    y: float = 0.0
    xx: float = 0.0
    yy: float = 0.0
    xy: float = 0.0

    @classmethod
    def of(cls, margin: Floats, length: Floats) -> LengthSums:
        """Return the sums of pairs.

        Args:
            margin: the reward of `first` minus that of `second`, [N]; its scale hardly matters, as it is squashed.
            length: log ratio of the replies' lengths, [N], positive where `first` is longer.
        """
        bent = np.tanh(0.5 * margin)
        decided = (margin != 0) & (length != 0)
        return cls(
            decided=int(decided.sum()), longer=int(((margin > 0) == (length > 0))[decided].sum()), num=len(margin),
            x=float(bent.sum()), y=float(length.sum()), xx=float(bent @ bent), yy=float(length @ length), xy=float(bent @ length),
        )  # fmt: skip

    @classmethod
    def total(cls, parts: Iterable[Mapping[str, Any]]) -> LengthSums:
        """Return the sums of several partitions, given as `to_dict` made them."""
        sums: dict[str, Any] = asdict(cls())
        for part in parts:
            for name in sums:
                sums[name] += part[name]
        return cls(**sums)

    def to_dict(self) -> dict[str, Any]:
        """Return the sums as JSON values."""
        return asdict(self)

    @property
    def share(self) -> float | None:
        """Share of pairs whose longer reply is preferred, in [0, 1]; None without a decided pair."""
        return self.longer / self.decided if self.decided else None

    @property
    def correlation(self) -> float | None:
        """Pearson's correlation of squashed margin and log ratio of lengths, in [-1, 1]; None where one of them never varies."""
        if not self.num:
            return None
        spread = (self.xx - self.x**2 / self.num) * (self.yy - self.y**2 / self.num)
        return (self.xy - self.x * self.y / self.num) / math.sqrt(spread) if spread > 1e-18 else None

    @property
    def followed(self) -> Literal["longer", "shorter"] | None:
        """Which reply the model prefers for its length and little else; None when it does not follow length."""
        share, correlation = self.share, self.correlation or 0.0
        if share is None:
            return None
        if share > SHARE_ABOVE or correlation > CORRELATION_ABOVE:
            return "longer"
        return "shorter" if 1.0 - share > SHARE_ABOVE or -correlation > CORRELATION_ABOVE else None

    def warning(self, model: str) -> str | None:
        """Return a sentence when the model follows length and little else; None when it does not."""
        side, share, correlation = self.followed, self.share, self.correlation
        if side is None or share is None:
            return None
        preferred = share if side == "longer" else 1.0 - share
        return (
            f"{model} follows length: it prefers the {side} reply in {100 * preferred:.1f} % of {self.decided:,} pairs"
            + (
                f", and its margin has a correlation of {correlation:.2f} with the difference of lengths"
                if correlation is not None
                else ""
            )
            + f"; its decisions are little more than '{side} wins'"
        )
