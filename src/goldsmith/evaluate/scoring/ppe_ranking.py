"""How well verdicts on pairs rank the models that wrote the replies, against people's votes: PPE's table beside the accuracy.

The definitions follow the benchmark's description, not its code, which could not be read: every number here is marked as from memory.
Shapes: M models, R resamples.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from goldsmith.evaluate.resample import Floats, resampled_totals, totals_by_prompt
from goldsmith.evaluate.result import ItemRecord, Metric
from goldsmith.evaluate.scoring.rule import Settings

MIN_MODELS = 3
RESAMPLES = 100
ITERATIONS = 200
PRIOR_WINS = 0.05
"""Virtual wins in each direction between models that met, so that one that never lost has a rating."""


def bradley_terry(wins: Floats) -> Floats:
    """Return log ratings with mean 0, shape [..., M], from wins[..., i, j], how often i beat j (a tie is half a win for both).

    By Hunter's minorisation-maximisation, 2004; models that met get a small number of virtual wins.
    """
    met = (wins + np.swapaxes(wins, -1, -2)) > 0
    counted = wins + PRIOR_WINS * met
    games = counted + np.swapaxes(counted, -1, -2)
    strength = np.ones(wins.shape[:-1])
    for _ in range(ITERATIONS):
        rate = games / (strength[..., :, None] + strength[..., None, :])
        strength = counted.sum(axis=-1) / np.maximum(rate.sum(axis=-1), 1e-300)
        strength = strength / np.exp(np.log(np.maximum(strength, 1e-300)).mean(axis=-1, keepdims=True))
    ratings: Floats = np.log(np.maximum(strength, 1e-300))
    return ratings


def ranking_metrics(records: Sequence[ItemRecord], settings: Settings) -> list[Metric]:
    """Return row-wise Pearson, separability, confidence agreement, Kendall's tau, Spearman and Brier; empty with fewer than three models."""
    voted = [record for record in records if record.comparisons and record.outcome != "failed"]
    models = sorted({str(record.meta[side]) for record in voted for side in ("model_a", "model_b") if side in record.meta})
    if len(models) < MIN_MODELS:
        return []
    size, place = len(models), {name: index for index, name in enumerate(models)}
    features = np.zeros((len(voted), 2 * size * size), dtype=np.float64)
    for row, record in enumerate(voted):
        sides = place[str(record.meta["model_a"])], place[str(record.meta["model_b"])]
        better, worse = (sides[index] for index in record.comparisons[0])
        features[row, better * size + worse] = 1.0
        mine = features[row, size * size :]
        decision = record.decisions[0]
        mine[better * size + worse] = {"right": 1.0, "tie": 0.5}.get(decision, 0.0)
        mine[worse * size + better] = {"wrong": 1.0, "tie": 0.5}.get(decision, 0.0)
    totals = totals_by_prompt(features, [record.prompt_id for record in voted])
    whole = totals.sum(axis=0)
    drawn = resampled_totals(totals, seed=settings.seed, resamples=RESAMPLES) if len(totals) > 1 else whole[None, :]
    shape = (-1, size, size)
    people, own = whole[: size * size].reshape(size, size), whole[size * size :].reshape(size, size)
    return _metrics(people, own, drawn[:, : size * size].reshape(shape), drawn[:, size * size :].reshape(shape))


def _metrics(people: Floats, own: Floats, people_draws: Floats, own_draws: Floats) -> list[Metric]:
    ratings, mine = bradley_terry(people), bradley_terry(own)
    people_R, mine_R = bradley_terry(people_draws), bradley_terry(own_draws)
    upper = np.triu_indices(len(ratings), 1)
    theirs_apart, mine_apart = _apart(people_R), _apart(mine_R)
    separable = theirs_apart[upper] != 0
    same = (theirs_apart == mine_apart)[upper]
    above = (mine_R[:, :, None] > mine_R[:, None, :]).mean(axis=0)[upper]
    outcome = (ratings[:, None] > ratings[None, :])[upper].astype(np.float64)
    found = {
        "row-wise Pearson": _row_pearson(people, own),
        "separability": float((mine_apart[upper] != 0).mean()),
        "confidence agreement": float(same[separable].mean()) if separable.any() else None,
        "Kendall's tau": _kendall(ratings, mine),
        "Spearman": _pearson(_ranks(ratings), _ranks(mine)),
        "Brier": float(((above - outcome) ** 2).mean()),
    }
    return [
        Metric(name=name, value=value, rule="ranking of the models that wrote the replies", is_from_memory=True, reason="" if value is not None else "not defined here")
        for name, value in found.items()
    ]  # fmt: skip


def _apart(ratings_RM: Floats) -> Floats:
    """Return 1 where the 95 % interval of i lies above that of j, -1 where below, else 0; shape [M, M]."""
    low, high = np.quantile(ratings_RM, [0.025, 0.975], axis=0)
    above = low[:, None] > high[None, :]
    apart: Floats = above.astype(np.float64) - above.T
    return apart


def _row_pearson(people: Floats, own: Floats) -> float | None:
    """Mean over models of the correlation of its win rates against the others, by people and by the verdicts."""
    found = []
    for row in range(len(people)):
        games, mine = people[row] + people[:, row], own[row] + own[:, row]
        met = (games > 0) & (mine > 0)
        value = _pearson(people[row, met] / games[met], own[row, met] / mine[met]) if met.sum() > 1 else None
        if value is not None:
            found.append(value)
    return float(np.mean(found)) if found else None


def _pearson(one: Floats, other: Floats) -> float | None:
    if len(one) < 2 or one.std() == 0 or other.std() == 0:
        return None
    return float(np.corrcoef(one, other)[0, 1])


def _kendall(one: Floats, other: Floats) -> float:
    upper = np.triu_indices(len(one), 1)
    signs = np.sign(one[:, None] - one[None, :]) * np.sign(other[:, None] - other[None, :])
    return float(signs[upper].mean())


def _ranks(values: Floats) -> Floats:
    """Return ranks from 0, equal values sharing the mean of theirs."""
    return np.array([(values < value).sum() + ((values == value).sum() - 1) / 2 for value in values], dtype=np.float64)
