"""RewardBench: strict pairs; weighted means of subsets by section; the plain mean of the four sections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from goldsmith.benchdata.item import Item
from goldsmith.benchdata.rewardbench import PRIOR, SECTIONS
from goldsmith.evaluate.result import Decision, ItemRecord
from goldsmith.evaluate.scoring.decide import all_right
from goldsmith.evaluate.scoring.groups import ALL, Draws, GroupMeans, mean_of, metric
from goldsmith.evaluate.scoring.rule import Figures, Rule, Settings

MATH_PRM_WEIGHT = 984
"""Instead of its 447 rows: as much as the six code subsets together."""
WEIGHTS = {
    section: {subset: MATH_PRM_WEIGHT if subset == "math-prm" else rows for subset, rows in subsets.items()}
    for section, subsets in SECTIONS.items()
}
_SECTION_OF = {subset: section for section, subsets in SECTIONS.items() for subset in subsets}
_PRIOR_SHARE, _SECTION_SHARE = 1.0, 2.0
"""Weights of the first paper's five-section mean."""


def section_scores(accuracies: Mapping[str, Draws | float]) -> dict[str, Draws]:
    """Return the score of each of the four sections, by the subsets that are there; a section without any scores 0, as in official code."""
    found = {}
    for section, weights in WEIGHTS.items():
        there = {subset: weight for subset, weight in weights.items() if subset in accuracies}
        total = sum(there.values())
        weighted = [np.asarray(accuracies[subset], dtype=np.float64) * weight for subset, weight in there.items()]
        found[section] = np.sum(weighted, axis=0) / total if total else np.zeros(1)
    return found


def overall(sections: Mapping[str, Draws]) -> Draws:
    """Return the unweighted mean of the four sections."""
    size = max(len(np.atleast_1d(draws)) for draws in sections.values())
    return mean_of(np.broadcast_to(np.atleast_1d(draws), (size,)) for draws in sections.values())


def with_prior_sets(sections: Mapping[str, Draws], accuracies: Mapping[str, Draws]) -> Draws | None:
    """Return the first paper's mean, in which the mean of the prior sets is a fifth section of half weight; None without prior sets."""
    prior = [accuracies[name] for name in PRIOR if name in accuracies]
    if not prior:
        return None
    total = overall(sections) * len(sections) * _SECTION_SHARE + mean_of(prior) * _PRIOR_SHARE
    whole: Draws = total / (len(sections) * _SECTION_SHARE + _PRIOR_SHARE)
    return whole


def _credit(_item: Item, decisions: Sequence[Decision], _scores: Sequence[float | None]) -> float | None:
    return all_right(decisions)


def _groups(record: ItemRecord) -> list[tuple[str, str]]:
    section = _SECTION_OF.get(record.subset)
    return [("subset", record.subset)] + ([("section", section)] if section else [])


def _figures(records: Sequence[ItemRecord], means: GroupMeans, _settings: Settings) -> Figures:
    subsets = means.of({record.subset for record in records})
    sections = section_scores(subsets)
    empty = [section for section in WEIGHTS if not any(subset in subsets for subset in WEIGHTS[section])]
    official = metric("overall", overall(sections), "mean of the four sections", num_prompts=means.num_prompts.get(ALL, 0))
    prior = with_prior_sets(sections, subsets)
    metrics = (
        [] if prior is None else [metric("overall with Prior Sets", prior, "the first paper: sections count 2, Prior Sets 1")]
    )
    notes = [f"no row of {', '.join(empty)}: official code gives 0 for such a section, and so does the overall"] if empty else []
    there = {section: draws for section, draws in sections.items() if section not in empty}
    if empty and there:
        metrics.append(metric("overall, of the sections that are there", mean_of(there.values()), f"only {', '.join(there)}"))
    return Figures(official=official, metrics=metrics, draws=there, notes=notes, chance=0.5 * len(there) / len(WEIGHTS))


RULE = Rule(credit=_credit, figures=_figures, groups=_groups)
