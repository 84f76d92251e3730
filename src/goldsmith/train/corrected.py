"""The method `head` where people's labels are kept apart: the others make the head, and people's correct it (`reward.correction`)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from goldsmith.errors import UserError
from goldsmith.reward.correction import FEWEST, corrected
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
    people = rows.is_people
    _check(rows)
    labels = [None if mine else "first" for mine in people.tolist()]
    found = out_of_fold_scores(rows.chosen, rows.rejected, labels, rows.groups, l2s, seed, rows.weights)
    difference = rows.chosen[people].astype(np.float64) - rows.rejected[people]
    scale = feature_scale(rows.chosen[~people].astype(np.float64), rows.rejected[~people].astype(np.float64))

    def on(weight: Floats, margin: Floats, places: NDArray[np.int64]) -> Floats:
        return corrected(weight, margin[places], difference[places], np.ones(len(places), dtype=bool), scale)

    everyone = np.arange(int(people.sum()))
    weight = on(found.head.weight, (found.first - found.second)[people], everyone)
    head = dataclasses.replace(found.head, weight=weight, num_pairs=rows.num_pairs)
    silver = ensemble(dataclasses.replace(rows, weights=np.where(people, 0.0, rows.weights)), found.head, num_heads, seed)
    if silver is None:
        return head, None
    heads = []
    for one, times in zip(silver.weight.astype(np.float64), resamples(rows.groups, num_heads, seed), strict=True):
        drawn = np.repeat(everyone, times[people])
        # A draw without any of people's contexts says nothing of what they would correct.
        heads.append(on(one, difference @ one, drawn) if len(drawn) else weight)
    return head, dataclasses.replace(silver, weight=np.stack(heads).astype(np.float32))


def _check(rows: HeadRows) -> None:
    num_people = int(rows.is_people.sum())
    others = {group for group, is_people in zip(rows.groups, rows.is_people, strict=True) if not is_people}
    if num_people < FEWEST or len(others) < 2:
        raise UserError(
            f"train.people = correct needs at least {FEWEST} pairs that people labelled, and others of two contexts; "
            f"there are {num_people}, and others of {len(others)} contexts; set it to pooled"
        )
