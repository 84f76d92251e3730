"""Every comparison of a model as columns: what it decided, by how much, and how the two replies differ.

An item may ask about several comparisons (nine in RM-Bench, five in PPE Correctness); each is a row here. Failed ones have no
decision: they are counted, and in no figure made from decisions.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from goldsmith.evaluate.result import ItemRecord

SIGNS = {"right": 1, "tie": 0, "wrong": -1}
UNKNOWN = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """The decided comparisons of one model on one benchmark; all columns have shape [N]."""

    items: list[str]
    """Ids of the comparisons, the same for every model: the item's, with the two places where there are several."""
    prompts: list[str]
    subsets: list[str]
    signs: NDArray[np.int8]
    """1 the right reply, -1 the wrong one, 0 a tie."""
    margins: NDArray[np.float64]
    """Score of the right reply minus that of the wrong one; NaN where there are no finite scores."""
    chars_right: NDArray[np.int64]
    chars_wrong: NDArray[np.int64]
    marks_right: NDArray[np.int64]
    """Markdown marks; -1 where they were not counted."""
    marks_wrong: NDArray[np.int64]
    right_first: NDArray[np.int8]
    """1 where the right reply is the first of the two as the benchmark shows them, 0 where it is the second, -1 where nothing is shown."""
    shown_first: tuple[int, int] = (0, 0)
    """A judge's games won by the reply shown first, and all games with a winner."""
    num_failed: int = 0


@dataclass(slots=True)
class _Columns:
    items: list[str] = field(default_factory=list)
    prompts: list[str] = field(default_factory=list)
    subsets: list[str] = field(default_factory=list)
    signs: array[int] = field(default_factory=lambda: array("b"))
    margins: array[float] = field(default_factory=lambda: array("d"))
    chars: array[int] = field(default_factory=lambda: array("q"))
    marks: array[int] = field(default_factory=lambda: array("q"))
    right_first: array[int] = field(default_factory=lambda: array("b"))
    won_first: int = 0
    games: int = 0
    failed: int = 0


def decisions_of(items: Iterable[ItemRecord]) -> Decisions:
    """Return the decided comparisons of one benchmark's items."""
    columns = _Columns()
    for item in items:
        for place in range(len(item.comparisons)):
            _add(columns, item, place)
    chars, marks = (np.array(column, dtype=np.int64).reshape(-1, 2) for column in (columns.chars, columns.marks))
    return Decisions(
        items=columns.items, prompts=columns.prompts, subsets=columns.subsets, signs=np.array(columns.signs, dtype=np.int8),
        margins=np.array(columns.margins, dtype=np.float64), chars_right=chars[:, 0], chars_wrong=chars[:, 1],
        marks_right=marks[:, 0], marks_wrong=marks[:, 1], right_first=np.array(columns.right_first, dtype=np.int8),
        shown_first=(columns.won_first, columns.games), num_failed=columns.failed,
    )  # fmt: skip


def _add(columns: _Columns, item: ItemRecord, place: int) -> None:
    right, wrong = item.comparisons[place]
    _count_games(columns, item, place)
    decision = item.decisions[place]
    if decision == "failed":
        columns.failed += 1
        return
    columns.items.append(item.item_id if len(item.comparisons) == 1 else f"{item.item_id}#{right}-{wrong}")
    columns.prompts.append(item.prompt_id)
    columns.subsets.append(item.subset)
    columns.signs.append(SIGNS[decision])
    columns.margins.append(margin(item, right, wrong))
    columns.chars.extend((item.chars[right], item.chars[wrong]))
    columns.marks.extend((item.marks[right], item.marks[wrong]) if item.marks else (UNKNOWN, UNKNOWN))
    columns.right_first.append(int(right < wrong) if item.is_ordered else UNKNOWN)


def margin(item: ItemRecord, right: int, wrong: int) -> float:
    """Return the score of one reply minus that of the other; NaN where either is absent or infinite."""
    if not item.scores:
        return float("nan")
    one, other = item.scores[right], item.scores[wrong]
    difference = float("nan") if one is None or other is None else one - other
    return difference if isfinite(difference) else float("nan")


def _count_games(columns: _Columns, item: ItemRecord, place: int) -> None:
    """Count who won a judge's games: game 0 shows the replies as they stand in the item, game 1 the other way round."""
    if not item.games:
        return
    right, wrong = item.comparisons[place]
    for game, verdict in enumerate(item.games[place]):
        if verdict:
            right_is_shown_first = (right < wrong) == (game == 0)
            columns.games += 1
            columns.won_first += (verdict == 1) == right_is_shown_first
