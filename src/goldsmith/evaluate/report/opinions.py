"""What label, judges and people say of every pair, compared: one pass over `decisions`, one batch in memory at a time."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
import orjson

from goldsmith.evaluate.report.data import ACTIONS, Histogram
from goldsmith.evaluate.report.pool_parts import Agreement
from goldsmith.store import Table

BINS = 20
"""Bins of the histograms of p."""
VOICES = ("label", "best RM", "gold RM", "LLM judges", "people")
"""Whose opinions are compared: the label as it came, both reward models out of fold, the judgement of the LLMs, gold."""
ALL, ALONE, REVERSED = "pool pairs", "left alone", "reversed on purpose"
_COLUMNS = ["pair_id", "action", "label_before", "label_after", "p_first", "judges"]
_SIDES: dict[Any, int] = {"first": 0, "second": 1}
NOBODY = -1
"""The side where there is no opinion, or a tie."""


@dataclass(slots=True)
class Opinions:
    """Sums over all decisions.

    Attributes:
        both: int [5, 5] in the order of `VOICES`: pairs on which both prefer a reply.
        same: those on which it is the same one.
        before: the best RM's p of the label as it came, by series, int [BINS].
        after: its p of the label now, of the pairs that stay, by action.
    """

    both: Any = field(default_factory=lambda: np.zeros((len(VOICES), len(VOICES)), dtype=np.int64))
    same: Any = field(default_factory=lambda: np.zeros((len(VOICES), len(VOICES)), dtype=np.int64))
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)

    def agreements(self) -> list[Agreement]:
        """Return every two voices in their order, also those that never met."""
        return [
            Agreement(one=VOICES[i], other=VOICES[j], num_pairs=int(self.both[i, j]), num_same=int(self.same[i, j]))
            for i, j in combinations(range(len(VOICES)), 2)
        ]

    def histograms(self) -> tuple[Histogram | None, Histogram | None]:
        """Return p of the labels as they came and of the curated ones; None where no label has a p."""
        return _histogram(self.before, (ALL, ALONE, REVERSED)), _histogram(self.after, ACTIONS)


def opinions(decisions: Table, planted: Collection[str] = ()) -> Opinions:
    """Return the sums over the table `decisions`.

    Args:
        decisions: the table; where `judges` does not name the best RM's probability, `p_first` stands for it.
        planted: ids of pairs whose label was reversed on purpose.
    """
    found = Opinions()
    for batch in decisions.batches(_COLUMNS):
        rows = batch.to_pylist()
        said = [orjson.loads(row.get("judges") or "{}") for row in rows]
        sides = _sides(rows, said)
        has = sides != NOBODY
        for i, j in combinations(range(len(VOICES)), 2):
            both = has[i] & has[j]
            found.both[i, j] += int(both.sum())
            found.same[i, j] += int((both & (sides[i] == sides[j])).sum())
        _count(found, rows, said, planted)
    return found


def _sides(rows: list[dict[str, Any]], said: list[dict[str, Any]]) -> Any:
    """Return int8 [5, N]: what each voice prefers."""
    of = _SIDES.get
    return np.array(
        [
            [of(row["label_before"], NOBODY) for row in rows],
            [_preferred(one.get("best")) for one in said],
            [_preferred(one.get("gold")) for one in said],
            [of(one.get("llm"), NOBODY) for one in said],
            [of(one.get("human"), NOBODY) for one in said],
        ],
        dtype=np.int8,
    )


def _preferred(p_first: float | None) -> int:
    return NOBODY if p_first is None or p_first == 0.5 else int(p_first < 0.5)


def _count(found: Opinions, rows: list[dict[str, Any]], said: list[dict[str, Any]], planted: Collection[str]) -> None:
    """Add the rows' p of the label, before and after."""
    for row, one in zip(rows, said, strict=True):
        p_first = one.get("best", row["p_first"])
        if p_first is None:
            continue
        series = ALL if not planted else REVERSED if row["pair_id"] in planted else ALONE
        _add(found.before, series, p_first, row["label_before"])
        if row["action"] != "drop":
            _add(found.after, row["action"], p_first, row["label_after"])


def _add(counts: dict[str, Any], series: str, p_first: float, label: str | None) -> None:
    if label in _SIDES:
        p = p_first if label == "first" else 1.0 - p_first
        counts.setdefault(series, np.zeros(BINS, dtype=np.int64))[min(BINS - 1, int(p * BINS))] += 1


def _histogram(counts: dict[str, Any], order: Collection[str]) -> Histogram | None:
    series = {name: counts[name].tolist() for name in order if name in counts}
    return Histogram(edges=[place / BINS for place in range(BINS + 1)], series=series) if series else None
