"""The method `head` where people's labels are kept apart: the others make the head, and people's correct it (`reward.correction`)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from goldsmith.reward.correction import corrected, require_enough
from goldsmith.reward.ensemble import HeadEnsemble, resamples
from goldsmith.reward.head import Head, feature_scale, out_of_fold_scores
from goldsmith.train.fit import HeadRows, ensemble

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


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
    labels = ["first" if other else None for other in others.tolist()]
    found = out_of_fold_scores(rows.chosen, rows.rejected, labels, rows.groups, l2s, seed, rows.weights)
    difference = rows.chosen[people].astype(np.float64) - rows.rejected[people]
    scale = feature_scale(rows.chosen[others].astype(np.float64), rows.rejected[others].astype(np.float64))
    prefer = np.ones(len(difference), dtype=bool)
    # A pair of mean weight counts as one, whatever the unit of the weights, and a soft label's two rows as one together.
    worth = rows.weights[people] * (rows.num_pairs / rows.weights.sum())
    weight = corrected(found.head.weight, (found.first - found.second)[people], difference, prefer, scale, worth)
    head = dataclasses.replace(found.head, weight=weight, num_pairs=rows.num_pairs)
    silver = ensemble(dataclasses.replace(rows, weights=np.where(people, 0.0, rows.weights)), found.head, num_heads, seed)
    if silver is None:
        return head, None
    heads = []
    for one, times in zip(silver.weight.astype(np.float64), resamples(rows.groups, num_heads, seed), strict=True):
        drawn = worth * times[people]
        # Folds within every draw would cost as many fits again, so these margins are a little too sure of themselves. A draw without
        # any of people's contexts says nothing of what they would correct.
        heads.append(corrected(one, difference @ one, difference, prefer, scale, drawn) if drawn.any() else weight)
    return head, dataclasses.replace(silver, weight=np.stack(heads).astype(np.float32))
