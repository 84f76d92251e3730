"""Are the models given different models? Agreement of their decisions beyond chance, and beyond what accuracy explains.

Two measures for two models over the same comparisons:

- `decisions`: Cohen's kappa of which reply each prefers (one, other, tie), the replies put in an order that has nothing to do with
  which is right. Two good models agree here because both are right.
- `errors`: Cohen's kappa of being right or wrong. Models of the same accuracy that fail independently have 0; copies have 1
  (the "error consistency" of Geirhos, Meding and Wichmann, 2020).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from goldsmith.evaluate.resample import Figure, Floats, Prompts, bootstrap, bootstrap_all, share
from goldsmith.evaluate.statistics import Estimate
from goldsmith.identity import unit_interval

ALIKE = 0.6
"""Kappa of errors above which two models are called near-copies (Landis and Koch, 1977: substantial agreement)."""

Signs = NDArray[np.int8]
"""One decision a comparison: 1 the right reply, -1 the wrong one, 0 a tie; shape [N]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How far two models decide alike on the same comparisons."""

    one: str
    other: str
    same: Estimate
    """Share of comparisons with the same decision."""
    decisions: Estimate
    """Kappa of the preferred reply."""
    errors: Estimate
    """Kappa of right and wrong."""


def agreement(
    one: str, other: str, signs: tuple[ArrayLike, ArrayLike], items: Sequence[str], contexts: Prompts, *, seed: int
) -> Agreement:
    """Return the agreement of two models.

    Args:
        one: name of the first model.
        other: name of the second.
        signs: the decisions of both on the same comparisons, `Signs` each.
        items: the comparisons' ids, shape [N]; they orient the replies.
        contexts: the prompts' ids, shape [N].
        seed: seed of the intervals and of the orientation.
    """
    first, second = (np.asarray(column, dtype=np.int8) for column in signs)
    turned = orientation(items, seed)
    chosen, rightness = _cells(first * turned, second * turned, (-1, 0, 1)), _cells(first > 0, second > 0, (False, True))
    equal = (first == second)[:, None]
    features = np.hstack([equal, np.ones_like(equal), chosen, rightness])
    figures: dict[str, Figure] = {"same": share(0, 1), "decisions": _kappa_at(2, 3), "errors": _kappa_at(11, 2)}
    found = bootstrap_all(figures, features, contexts, seed=seed)
    return Agreement(one=one, other=other, same=found["same"], decisions=found["decisions"], errors=found["errors"])


def all_pairs(decisions: Mapping[str, Mapping[str, int]], prompts: Mapping[str, str], *, seed: int) -> list[Agreement]:
    """Return the agreement of every two models over the comparisons that both decided.

    Args:
        decisions: model -> comparison -> 1, 0 or -1.
        prompts: comparison -> prompt.
        seed: seed of the intervals.
    """
    names, found = list(decisions), []
    for place, one in enumerate(names):
        for other in names[place + 1 :]:
            shared = [item for item in decisions[one] if item in decisions[other]]
            signs = [decisions[one][item] for item in shared], [decisions[other][item] for item in shared]
            found.append(agreement(one, other, signs, shared, [prompts[item] for item in shared], seed=seed))
    return found


def orientation(items: Sequence[str], seed: int) -> Signs:
    """Return 1 or -1 for each comparison, by its id and the seed alone: half of them are turned round."""
    return np.array([1 if unit_interval(f"orientation:{item}", seed) < 0.5 else -1 for item in items], dtype=np.int8)


def kappa(one: ArrayLike, other: ArrayLike, classes: Sequence[Any], contexts: Prompts, *, seed: int) -> Estimate:
    """Return Cohen's kappa of two columns with a 95 % interval over prompts.

    Args:
        one: labels of one side, shape [N].
        other: labels of the other side.
        classes: every label there can be.
        contexts: the prompts' ids, shape [N].
        seed: seed of the interval.

    Returns:
        Scale: at most 1, 0 is chance; value None when chance alone would agree always.
    """
    return bootstrap(_kappa_at(0, len(classes)), _cells(one, other, classes), contexts, seed=seed)


def alpha(decisions: Mapping[str, Mapping[str, int]], *, seed: int) -> float | None:
    """Return Krippendorff's nominal alpha of all models together over the replies they prefer; None when it is not defined.

    Args:
        decisions: model -> comparison -> 1, 0 or -1; a comparison a model did not decide is absent.
        seed: seed of the orientation.
    """
    items = list(dict.fromkeys(item for column in decisions.values() for item in column))
    turned = dict(zip(items, orientation(items, seed).tolist(), strict=True))
    votes = [[column[item] * turned[item] for column in decisions.values() if item in column] for item in items]
    counts = np.array([[row.count(label) for label in (-1, 0, 1)] for row in votes if len(row) > 1]).reshape(-1, 3)
    if len(counts) == 0 or (counts.sum(axis=0) > 0).sum() < 2:
        return None
    import krippendorff

    return float(krippendorff.alpha(value_counts=counts, level_of_measurement="nominal"))


def _cells(one: ArrayLike, other: ArrayLike, classes: Sequence[Any]) -> NDArray[np.bool_]:
    """Return the cell of the table of both labels that each observation falls into, one column a cell."""
    labels = [np.stack([np.asarray(column) == label for label in classes], axis=1) for column in (one, other)]
    cells: NDArray[np.bool_] = (labels[0][:, :, None] & labels[1][:, None, :]).reshape(-1, len(classes) ** 2)
    return cells


def _kappa_at(start: int, size: int) -> Figure:
    """Return the kappa of the table whose cells are the features from `start` on."""
    return lambda sums: _kappa(sums[..., start : start + size * size].reshape(*sums.shape[:-1], size, size))


def _kappa(table: Floats) -> Floats:
    """Return kappa of tables of counts, shape [..., S, S]; NaN where chance agrees always."""
    shares = table / table.sum(axis=(-1, -2), keepdims=True)
    seen = np.trace(shares, axis1=-2, axis2=-1)
    chance = (shares.sum(axis=-1) * shares.sum(axis=-2)).sum(axis=-1)
    value: Floats = np.where(chance < 1.0, (seen - chance) / np.where(chance < 1.0, 1.0 - chance, 1.0), np.nan)
    return value
