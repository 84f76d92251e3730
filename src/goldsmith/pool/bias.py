"""Shortcuts in labels: whether the preferred reply is, more often than not, the longer or the more formatted one."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict

MARKERS = {
    "list": re.compile(r"^[ \t]*(?:[-*+\u2022]|\d{1,3}[.)])[ \t]+\S", re.MULTILINE),
    "heading": re.compile(r"^#{1,6}[ \t]+\S", re.MULTILINE),
    "bold": re.compile(r"\*\*[^*\n]+\*\*|__[^_\n]+__"),
    "code": re.compile(r"^[ \t]*(?:```|~~~)", re.MULTILINE),
    "table": re.compile(r"^[ \t]*\|.*\|[ \t]*$", re.MULTILINE),
    "link": re.compile(r"\[[^\]\n]+\]\([^)\n]+\)"),
}
"""Signs of formatting in a reply; `any` is the sum over all of them."""
_NEEDS = {"heading": ("#",), "bold": ("**", "__"), "code": ("```", "~~~"), "table": ("|",), "link": ("](",)}
"""What a text must hold for a sign to be found in it: looking for that costs a fraction of the pattern."""


def marks(text: str) -> dict[str, int]:
    """Return how often each sign of formatting stands in a text."""
    return {name: len(pattern.findall(text)) if _may_hold(name, text) else 0 for name, pattern in MARKERS.items()}


def _may_hold(name: str, text: str) -> bool:
    return name not in _NEEDS or any(sign in text for sign in _NEEDS[name])


class Share(BaseModel):
    """How often the preferred reply has more of something: `wins` of `of` decided pairs, with a 95 % Wilson interval.

    `even` pairs have as much on both sides and do not count; `share` and the interval are None without a decided pair.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    wins: int
    of: int
    even: int
    share: float | None
    low: float | None
    high: float | None


def wilson(wins: int, of: int, z: float = 1.959963984540054) -> tuple[float, float]:
    """Return the Wilson score interval of a share.

    Args:
        wins: successes, 0..of.
        of: trials, at least 1.
        z: quantile of the normal distribution; the default gives 95 %.
    """
    share, square = wins / of, z * z
    centre = (share + square / (2 * of)) / (1 + square / of)
    half = z / (1 + square / of) * math.sqrt(share * (1 - share) / of + square / (4 * of * of))
    # Rounding must not put the bound on the wrong side of a share of 0 or 1.
    return max(0.0, min(centre - half, share)), min(1.0, max(centre + half, share))


@dataclass(slots=True)
class Tally:
    """Counts, pair by pair, on which side there is more."""

    wins: int = 0
    losses: int = 0
    even: int = 0

    def add(self, preferred: int, other: int) -> None:
        """Count one pair."""
        if preferred > other:
            self.wins += 1
        elif preferred < other:
            self.losses += 1
        else:
            self.even += 1

    def share(self) -> Share:
        """Return the share of pairs whose preferred reply has more."""
        of = self.wins + self.losses
        low, high = wilson(self.wins, of) if of else (None, None)
        return Share(wins=self.wins, of=of, even=self.even, share=self.wins / of if of else None, low=low, high=high)


@dataclass(slots=True)
class Bias:
    """Length and formatting of preferred and other replies; ties of the label are not shown to it."""

    length: Tally = field(default_factory=Tally)
    markers: dict[str, Tally] = field(default_factory=lambda: {name: Tally() for name in (*MARKERS, "any")})

    def add(self, preferred: str, other: str) -> None:
        """Count one pair with a preference."""
        self.length.add(len(preferred), len(other))
        counts = [marks(text) for text in (preferred, other)]
        for name in MARKERS:
            self.markers[name].add(counts[0][name], counts[1][name])
        self.markers["any"].add(sum(counts[0].values()), sum(counts[1].values()))
