"""What a benchmark's scoring file offers, and what it returns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from goldsmith.benchdata.item import Item
from goldsmith.evaluate.result import Decision, ItemRecord, Metric
from goldsmith.evaluate.scoring.groups import Draws, GroupMeans, Term

Credit = Callable[[Item, Sequence[Decision], Sequence[float | None]], float | None]
"""From an item, its decisions and its scores (none for a judge) to what the official rule gives; None when a missing score leaves it open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """A benchmark's numbers.

    Attributes:
        official: the headline.
        paper: the paper's number where its rule differs.
        metrics: the others.
        draws: numbers of groups that are not means of their items, by the group's name.
        notes: what a reader must know.
        chance: expected official number of random scores.
    """

    official: Metric
    paper: Metric | None = None
    metrics: list[Metric] = field(default_factory=list)
    draws: dict[str, Draws] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    chance: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Seed and number of the resamples."""

    seed: int
    resamples: int


def _subset_only(record: ItemRecord) -> list[tuple[str, str]]:
    return [("subset", record.subset)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How one benchmark is scored.

    Attributes:
        credit: of an item.
        figures: the numbers, from the items, the means of their groups (`all` among them) and the settings.
        groups: (level, name) of an item beside `all`, the finest first.
        more_terms: further means that `figures` needs, from all items.
    """

    credit: Credit
    figures: Callable[[Sequence[ItemRecord], GroupMeans, Settings], Figures]
    groups: Callable[[ItemRecord], list[tuple[str, str]]] = _subset_only
    more_terms: Callable[[Sequence[ItemRecord]], list[Term]] = lambda _records: []
