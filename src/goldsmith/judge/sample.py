"""Which samples are drawn of a judge: half in each order, so that a taste for a position cancels out."""

from __future__ import annotations

from dataclasses import dataclass

from goldsmith.identity import unit_interval
from goldsmith.types import Side

GREEDY_UP_TO = 2
"""With one sample per order there is nothing to vary; more of them need a temperature to differ."""
TEMPERATURE = 0.7
SEED_RANGE = 2**31


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One sample to draw: its number, which side stands as Candidate 1, and the sampler's settings."""

    number: int
    shown_first: Side
    temperature: float
    seed: int

    @property
    def shown_order(self) -> list[Side]:
        """Both sides in the order shown."""
        return ["first", "second"] if self.shown_first == "first" else ["second", "first"]


def draw_samples(pair_id: str, model: str, count: int, seed: int) -> list[Sample]:
    """Return `count` samples of a model on a pair; orders alternate from a random start, so an odd one out is random.

    Args:
        pair_id: the pair.
        model: the judge's name.
        count: samples, at least 1.
        seed: the run's seed.
    """
    start = int(unit_interval(f"order:{model}:{pair_id}", seed) * 2)
    return [
        Sample(
            number=number,
            shown_first="first" if (number + start) % 2 == 0 else "second",
            temperature=0.0 if count <= GREEDY_UP_TO else TEMPERATURE,
            seed=int(unit_interval(f"sample:{model}:{pair_id}:{number}", seed) * SEED_RANGE),
        )
        for number in range(count)
    ]


def shown_first_of(key: str, seed: int) -> Side:
    """Return a random side that depends on `key` and `seed` alone."""
    return "first" if unit_interval(f"shown:{key}", seed) < 0.5 else "second"
