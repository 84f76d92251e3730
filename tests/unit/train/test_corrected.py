"""The head that people correct, put together anew from its parts, and on sources whose noise is known."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from goldsmith.reward.correction import corrected
from goldsmith.reward.head import assign_folds, feature_scale, out_of_fold_scores
from goldsmith.reward.marginal import fit_marginal
from goldsmith.train.corrected import fit_corrected
from goldsmith.train.fit import HeadRows

L2 = (1e-3, 1e-2, 1e-1)
SEED = 3


def _sigmoid(values: Any) -> Any:
    return 1.0 / (1.0 + np.exp(-values))


def _rows(num: int = 300, num_people: int = 40, width: int = 6, seed: int = 0, judge: float = 0.75) -> HeadRows:
    """Pairs a judge labelled and then pairs that people did; contexts of two pairs, some of them of both."""
    rng = np.random.default_rng(seed)
    truth = np.linspace(1.5, -1.5, width)
    first, second = rng.normal(size=(num, width)), rng.normal(size=(num, width))
    is_first = rng.random(num) < _sigmoid((first - second) @ truth)
    people = np.arange(num) >= num - num_people
    said = np.where(people, is_first, is_first ^ (rng.random(num) > judge))[:, None]
    return HeadRows(
        chosen=np.where(said, first, second).astype(np.float32), rejected=np.where(said, second, first).astype(np.float32),
        groups=[f"c{at // 2 if at < num - 10 else at}" for at in range(num)], weights=np.ones(num), num_pairs=num, identical=[],
        pair=np.arange(num), evidence=np.where(people, 1.0, judge), is_people=people, num_people=num_people,
    )  # fmt: skip


def test_two_heads_of_unit_spread_are_corrected_together() -> None:
    rows = _rows()
    people, others = rows.is_people, ~rows.is_people
    difference = rows.chosen.astype(float) - rows.rejected
    scale = feature_scale(rows.chosen[others].astype(float), rows.rejected[others].astype(float))
    labels = ["first" if other else None for other in others.tolist()]
    plain = out_of_fold_scores(rows.chosen, rows.rejected, labels, rows.groups, L2, SEED, rows.weights)
    known = [group for group, other in zip(rows.groups, others, strict=True) if other]
    fold = dict(zip(known, assign_folds(known, 5, SEED).tolist(), strict=True))

    def evident(without: int | None) -> Any:
        use = [
            float(other and (without is None or fold[group] != without)) for group, other in zip(rows.groups, others, strict=True)
        ]
        return fit_marginal(difference / scale, rows.evidence, np.array(use)[:, None])[:, 0] / scale

    heads = [evident(part) for part in range(5)]
    margin = [
        difference[at] @ (heads[fold[rows.groups[at]]] if rows.groups[at] in fold else evident(None))
        for at in np.flatnonzero(people)
    ]
    both = [(plain.head.weight, (plain.first - plain.second)[people]), (evident(None), np.array(margin))]
    spread = [np.sqrt(np.mean((difference[others] @ weight) ** 2)) for weight, _ in both]
    weight, told = (sum(part[at] / size for part, size in zip(both, spread, strict=True)) for at in (0, 1))
    expected = corrected(weight, told, difference[people], np.ones(40, dtype=bool), scale)
    found, drawn = fit_corrected(rows, L2, SEED, 4)
    np.testing.assert_allclose(found.weight, expected, atol=1e-3 * np.abs(expected).max())
    assert drawn is not None
    assert drawn.weight.shape == (4, 6)
    # Heads of resampled contexts differ from each other, and point where the head does.
    assert (drawn.weight.std(0) > 0).all()
    assert all(one @ expected / np.linalg.norm(one) / np.linalg.norm(expected) > 0.9 for one in drawn.weight)


def test_certain_labels_make_one_head_alone() -> None:
    rows = _rows()
    certain = dataclasses.replace(rows, evidence=np.ones(300))
    plain = [None if people else "first" for people in rows.is_people.tolist()]
    found = out_of_fold_scores(rows.chosen, rows.rejected, plain, rows.groups, L2, SEED, rows.weights)
    difference, people = rows.chosen.astype(float) - rows.rejected, rows.is_people
    others = rows.chosen[~people].astype(float), rows.rejected[~people].astype(float)
    expected = corrected(
        found.head.weight,
        (found.first - found.second)[people],
        difference[people],
        np.ones(40, dtype=bool),
        feature_scale(*others),
    )
    np.testing.assert_allclose(fit_corrected(certain, L2, SEED, 0)[0].weight, expected, atol=1e-9)


@pytest.mark.parametrize("seed", range(2))
def test_a_pair_in_two_rows_counts_once_in_the_head_of_the_evidence(seed: int) -> None:
    """A soft label stands in both directions; split in the same direction it must change nothing at all."""
    rows = _rows(seed=seed)
    place = np.r_[np.arange(300), np.arange(50)]
    weights = np.ones(350)
    weights[:50], weights[300:] = 0.3, 0.7
    split = dataclasses.replace(
        rows, chosen=rows.chosen[place], rejected=rows.rejected[place], groups=[rows.groups[at] for at in place], weights=weights,
        pair=place, evidence=rows.evidence[place], is_people=rows.is_people[place],
    )  # fmt: skip
    whole, again = (fit_corrected(one, L2, SEED, 0)[0].weight for one in (rows, split))
    # What features are divided by is taken over rows.
    np.testing.assert_allclose(again, whole, rtol=0.02, atol=0.02 * np.abs(whole).max())
