"""The head on cached features: what the method `head` trains, and what the others begin with."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from goldsmith.errors import UserError
from goldsmith.reward.ensemble import HeadEnsemble, fit_ensemble
from goldsmith.reward.features import FeatureStore
from goldsmith.reward.grouping import Reply
from goldsmith.reward.head import Head, fit_head
from goldsmith.train.material import Material, named

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadRows:
    """Pairs as features; a pair whose label is a probability stands in both directions, by which its loss is that of the soft label.

    Attributes:
        chosen, rejected: [N, D].
        groups: context ids.
        weights: [N].
        num_pairs: pairs they stand for.
        identical: names of pairs that were left out because both replies became the same tokens when they were cut.
        pair: number of the pair that each row stands for, [N].
        evidence: that the row's chosen reply is the better one, in [0, 1] (`Labels.evidence`), [N].
        is_people: rows whose label people gave, [N].
        num_people: pairs these stand for.
    """

    chosen: NDArray[np.float32]
    rejected: NDArray[np.float32]
    groups: list[str]
    weights: NDArray[np.float64]
    num_pairs: int
    identical: list[str]
    pair: NDArray[np.int64]
    evidence: NDArray[np.float64]
    is_people: NDArray[np.bool_]
    num_people: int


def head_rows(material: Material, store: FeatureStore) -> HeadRows:
    """Return the features of all training pairs; of a ranked list every two replies of different rank are a pair.

    Raises:
        UserError: no pair is left whose replies differ.
    """
    labels = material.labels
    weighted = [(pair, labels.weight(pair.pair_id), labels.target(pair), labels.evidence(pair)) for pair in material.pairs]
    weighted += [(pair, labels.weight(ranked.list_id), 1.0, 1.0) for ranked in material.lists for pair in ranked.pairs()]
    replies = [Reply(pair.messages, content, named(pair)) for pair, *_ in weighted for content in (pair.chosen, pair.rejected)]
    vectors = store.features(replies, readout="last")
    chosen, rejected = vectors[::2], vectors[1::2]
    differs = (chosen != rejected).any(1)
    rows = [
        (at, is_turned, weight * share)
        for at, (_, weight, target, _) in enumerate(weighted)
        if differs[at]
        for is_turned, share in ((False, target), (True, 1.0 - target))
        if share > 0
    ]
    if not rows:
        raise UserError(
            f"the two replies of each of the {len(weighted)} pairs are the same after they were cut; raise reward.max_length"
        )
    of_people = np.array([pair.pair_id in material.people for pair, *_ in weighted], dtype=bool)
    evidence = np.array([told for *_, told in weighted])
    places, turned = np.array([row[0] for row in rows], dtype=int), np.array([row[1] for row in rows], dtype=bool)[:, None]
    return HeadRows(
        chosen=np.where(turned, rejected[places], chosen[places]),
        rejected=np.where(turned, chosen[places], rejected[places]),
        groups=[weighted[at][0].context_id for at in places],
        weights=np.array([row[2] for row in rows], dtype=np.float64),
        num_pairs=int(differs.sum()),
        identical=[weighted[at][0].pair_id for at in np.flatnonzero(~differs)],
        pair=places,
        evidence=np.where(turned[:, 0], 1.0 - evidence[places], evidence[places]),
        is_people=of_people[places],
        num_people=int((of_people & differs).sum()),
    )


def fit(rows: HeadRows, l2s: Sequence[float], seed: int) -> Head:
    """Return the head fitted to the rows."""
    head = fit_head(rows.chosen, rows.rejected, rows.groups, l2s, seed, rows.weights)
    return dataclasses.replace(head, num_pairs=rows.num_pairs)


def ensemble(rows: HeadRows, head: Head, num_heads: int, seed: int) -> HeadEnsemble | None:
    """Return heads fitted to resampled contexts; None for fewer than two heads or contexts, which have no spread."""
    if num_heads < 2 or len(set(rows.groups)) < 2:
        return None
    return fit_ensemble(head, rows.chosen, rows.rejected, rows.groups, num_heads, seed, rows.weights)
