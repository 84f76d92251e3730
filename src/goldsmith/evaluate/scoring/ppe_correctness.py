"""PPE Correctness: strict accuracy over sampled pairs, best-of-K in closed form, and AUC; each the plain mean of the five sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from goldsmith.benchdata.item import Item
from goldsmith.benchdata.ppe_correctness import EXPECTED
from goldsmith.evaluate.best_of_n import best_of_n
from goldsmith.evaluate.result import Decision, ItemRecord, Metric
from goldsmith.evaluate.scoring.decide import share_right
from goldsmith.evaluate.scoring.groups import ALL, GroupMeans, Term, metric, partial, undefined
from goldsmith.evaluate.scoring.rule import Figures, Rule, Settings

SETS = tuple(EXPECTED)
_WITHOUT_REPEATS, _ROW_AUC = "without repeats, ", "AUC by rows, "


def area_under_curve(scores: ArrayLike, truth: ArrayLike) -> float | None:
    """Return the share of (right, wrong) answers in which the right one scores higher, equal scores counting half; None without both kinds.

    Args:
        scores: finite, shape [N].
        truth: true or false, shape [N].
    """
    values, labels = np.asarray(scores, dtype=np.float64), np.asarray(truth, dtype=bool)
    positives, negatives = int(labels.sum()), int((~labels).sum())
    if not positives or not negatives:
        return None
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - (counts - 1) / 2.0
    rank_sum = float(middle[inverse][labels].sum())
    return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives)


def _credit(_item: Item, decisions: Sequence[Decision], _scores: Sequence[float | None]) -> float | None:
    return share_right(decisions)


def _more_terms(records: Sequence[ItemRecord]) -> list[Term]:
    """Accuracy with each pair of a row once, and each row's own AUC."""
    terms = []
    for record in records:
        once = dict(zip(record.comparisons, record.decisions, strict=True))
        if once:
            share = list(once.values()).count("right") / len(once)
            terms.append(
                Term(group=f"{_WITHOUT_REPEATS}{record.subset}", cluster=record.prompt_id, value=share, weight=len(once))
            )
        area = _area([record])
        if area is not None:
            terms.append(Term(group=f"{_ROW_AUC}{record.subset}", cluster=record.prompt_id, value=area))
    return terms


def _figures(records: Sequence[ItemRecord], means: GroupMeans, settings: Settings) -> Figures:
    prompts = means.num_prompts.get(ALL, 0)
    official, metrics = partial(
        "pairwise accuracy", means.of(SETS), SETS, "mean of five sets, each over its sampled pairs", num_prompts=prompts
    )
    by_set = {name: [record for record in records if record.subset == name and record.scores] for name in SETS}
    there = {name: found for name, found in by_set.items() if found}
    if there:
        metrics += _curves(there, settings)
        metrics += _areas(there, means)
    repeats = sum(len(record.comparisons) - len(set(record.comparisons)) for record in records)
    once = {name: means[f"{_WITHOUT_REPEATS}{name}"] for name in SETS if f"{_WITHOUT_REPEATS}{name}" in means}
    without, more = partial(
        "pairwise accuracy without repeats",
        once,
        SETS,
        f"the {repeats} pairs that repeat one of their row are left out",
        num_prompts=prompts,
    )
    metrics += [without, *more]
    failed = sum(score is None for record in records for score in record.scores)
    notes = [f"{failed} answers have no score: best of K picks them last, AUC leaves them out"] if failed else []
    return Figures(official=official, metrics=metrics, notes=notes, chance=0.5)


def _curves(there: Mapping[str, Sequence[ItemRecord]], settings: Settings) -> list[Metric]:
    """Max score, end score and loss of each set, and their means over the five; the curves themselves are made from the items."""
    found: dict[str, dict[str, float]] = {"max score": {}, "end score": {}, "loss": {}}
    metrics = []
    for name, records in there.items():
        curve = best_of_n(
            [record.scores for record in records],
            [[float(good) for good in record.good] for record in records],
            [record.prompt_id for record in records],
            seed=settings.seed,
            resamples=min(settings.resamples, 1000),
        )
        assert curve is not None
        for kind, estimate in (("max score", curve.max_score), ("end score", curve.end_score), ("loss", curve.loss)):
            assert estimate.value is not None
            found[kind][name] = estimate.value
            metrics.append(
                Metric(
                    name=f"best of K, {kind}, {name}",
                    value=estimate.value,
                    low=estimate.low,
                    high=estimate.high,
                    is_from_memory=kind == "loss",
                )
            )
    return [*(_mean(f"best of K, {kind}", values, kind == "loss") for kind, values in found.items()), *metrics]


def _areas(there: Mapping[str, Sequence[ItemRecord]], means: GroupMeans) -> list[Metric]:
    pooled = {name: area for name, records in there.items() if (area := _area(records)) is not None}
    rows = {name: means[f"{_ROW_AUC}{name}"] for name in SETS if f"{_ROW_AUC}{name}" in means}
    by_rows, more = partial("AUC, mean over rows", rows, SETS, "each row's own answers")
    metrics = [_mean("AUC, pooled", pooled, True), by_rows.model_copy(update={"is_from_memory": True}), *more]
    metrics += [Metric(name=f"AUC, pooled, {name}", value=value, is_from_memory=True) for name, value in pooled.items()]
    return metrics + [metric(f"AUC, mean over rows, {name}", draws, from_memory=True) for name, draws in rows.items()]


def _area(records: Sequence[ItemRecord]) -> float | None:
    scores, truth = [], []
    for record in records:
        for score, good in zip(record.scores, record.good, strict=False):
            if score is not None:
                scores.append(score)
                truth.append(good)
    return area_under_curve(scores, truth) if scores else None


def _mean(name: str, values: Mapping[str, float], from_memory: bool) -> Metric:
    missing = [part for part in SETS if part not in values]
    if missing:
        return undefined(name, f"absent: {', '.join(missing)}", "mean of the five sets")
    return Metric(
        name=name, value=float(np.mean([values[part] for part in SETS])), rule="mean of the five sets", is_from_memory=from_memory
    )


RULE = Rule(credit=_credit, figures=_figures, more_terms=_more_terms)
