"""The method `head` where people's labels are kept apart: the others make the head, and people's correct it (`reward.correction`).

Labels that are certain make one head. Where they are evidence, two do: one learns what the source says that people agree with most, as it
is, the other what all of them say, each under its noise as it was estimated (`reward.marginal`). The first keeps its source's bias, the second has the
errors of the estimate; their mean is better than either (design/curation.md).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from goldsmith.reward.correction import corrected, require_enough
from goldsmith.reward.ensemble import HeadEnsemble, resamples
from goldsmith.reward.head import Head, assign_folds, feature_scale, out_of_fold_scores
from goldsmith.reward.marginal import fit_marginal
from goldsmith.train.fit import HeadRows, ensemble

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FOLDS = 5
"""Parts of the cross-validation, and of the margins that people correct."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Silver:
    """A head of the labels that people did not give, on features as they come.

    Attributes:
        weight: [W].
        margin: of the chosen over the rejected reply of people's rows, by heads like it that saw nothing of the row's context, [G].
        drawn: heads of resampled contexts, [K, W]; K may be 0.
    """

    weight: Floats
    margin: Floats
    drawn: Floats

    def over(self, spread: float) -> _Silver:
        """Return it with all margins divided by a number."""
        return _Silver(weight=self.weight / spread, margin=self.margin / spread, drawn=self.drawn / spread)

    def plus(self, other: _Silver) -> _Silver:
        """Return the sum of both."""
        return _Silver(weight=self.weight + other.weight, margin=self.margin + other.margin, drawn=self.drawn + other.drawn)


def fit_corrected(rows: HeadRows, l2s: Sequence[float], seed: int, num_heads: int) -> tuple[Head, HeadEnsemble | None]:
    """Return the head fitted to all rows but people's and corrected on people's, and heads made so of resampled contexts.

    The cross-validation in it is of the rows that people did not label.

    Args:
        rows: all pairs.
        l2s: penalties to choose from.
        seed: of folds and resampling.
        num_heads: resampled heads; None for fewer than two.

    Raises:
        UserError: people gave too few labels, or all of them.
    """
    people, others = rows.is_people, ~rows.is_people
    require_enough(rows.num_people, len({group for group, other in zip(rows.groups, others, strict=True) if other}))
    differences = rows.chosen.astype(np.float64) - rows.rejected
    scale = feature_scale(rows.chosen[others].astype(np.float64), rows.rejected[others].astype(np.float64))
    found, frame, silver = _plain(rows, differences, l2s, seed, num_heads)
    if ((rows.evidence > 0.0) & (rows.evidence < 1.0))[others].any():
        evident = _evident(rows, differences, scale, seed, len(silver.drawn))
        # Each counts by what it says of these pairs, not by how sure it is.
        silver, evident = (one.over(_spread(differences[others] @ one.weight)) for one in (silver, evident))
        silver = silver.plus(evident)
    weight, drawn = _corrected(rows, silver, differences[people], scale, resamples(rows.groups, len(silver.drawn), seed))
    head = dataclasses.replace(found, weight=weight, num_pairs=rows.num_pairs)
    return head, None if frame is None else dataclasses.replace(frame, weight=drawn)


def _corrected(
    rows: HeadRows, silver: _Silver, difference: Floats, scale: Floats, resampled: Iterable[NDArray[np.int64]]
) -> tuple[Floats, NDArray[np.float32]]:
    """The head that people's rows make of silver, [W], and those of resampled contexts, [K, W]; `difference` is of people's rows."""
    prefer = np.ones(len(difference), dtype=bool)
    # A pair of mean weight counts as one, whatever the unit of the weights, and a soft label's two rows as one together.
    worth = rows.weights[rows.is_people] * (rows.num_pairs / rows.weights.sum())
    weight = corrected(silver.weight, silver.margin, difference, prefer, scale, worth)
    heads = np.empty_like(silver.drawn, dtype=np.float32)
    for number, times in enumerate(resampled):
        drawn, one = worth * times[rows.is_people], silver.drawn[number]
        # Folds within every draw would cost as many fits again, so these margins are a little too sure of themselves. A draw without
        # any of people's contexts says nothing of what they would correct.
        heads[number] = corrected(one, difference @ one, difference, prefer, scale, drawn) if drawn.any() else weight
    return weight, heads


def _plain(
    rows: HeadRows, differences: Floats, l2s: Sequence[float], seed: int, num_heads: int
) -> tuple[Head, HeadEnsemble | None, _Silver]:
    """The head of the labels as they are learnt, its resampled heads, and both as silver."""
    people = rows.is_people
    labels = [None if is_people else "first" for is_people in people.tolist()]
    found = out_of_fold_scores(rows.chosen, rows.rejected, labels, rows.groups, l2s, seed, rows.weights, folds=FOLDS)
    frame = ensemble(dataclasses.replace(rows, weights=np.where(people, 0.0, rows.weights)), found.head, num_heads, seed)
    drawn = np.zeros((0, differences.shape[1])) if frame is None else frame.weight.astype(np.float64)
    return found.head, frame, _Silver(weight=found.head.weight, margin=(found.first - found.second)[people], drawn=drawn)


def _evident(rows: HeadRows, differences: Floats, scale: Floats, seed: int, num_heads: int) -> _Silver:
    """The head of the evidence, each pair once, however many rows it has."""
    _, lead, pair = np.unique(rows.pair, return_index=True, return_inverse=True)
    weight = np.bincount(pair, weights=np.where(rows.is_people, 0.0, rows.weights))
    weight *= (weight > 0).sum() / weight.sum()
    groups = [rows.groups[at] for at in lead.tolist()]
    known = [group for group, one in zip(groups, weight, strict=True) if one]
    fold_of = dict(zip(known, assign_folds(known, FOLDS, seed).tolist(), strict=True))
    # A context that people alone labelled belongs to no fold, and is read by the whole.
    fold = np.array([fold_of.get(group, -1) for group in groups])
    parts = range(max(fold_of.values()) + 1)
    times = [draw[lead] for draw in resamples(rows.groups, num_heads, seed)]
    columns = [*(fold != part for part in parts), np.ones(len(lead)), *times]
    heads = fit_marginal(
        differences[lead] / scale, rows.evidence[lead], weight[:, None] * np.stack(columns, axis=1).astype(float)
    )
    heads = heads / scale[:, None]
    part = np.where(fold < 0, len(parts), fold)[pair[rows.is_people]]
    margin = (differences[rows.is_people] @ heads)[np.arange(int(rows.is_people.sum())), part]
    return _Silver(weight=heads[:, len(parts)], margin=margin, drawn=heads[:, len(parts) + 1 :].T)


def _spread(margin: Floats) -> float:
    return float(np.sqrt((margin**2).mean())) or 1.0


__all__ = ["fit_corrected"]
