"""Substance against style: RM-Bench by whether style helps the right reply (easy), is the same (normal) or helps the wrong one (hard).

A row's nine comparisons are (style of the right reply, style of the wrong one), styles in the order concise, detailed, Markdown.
Easy: the right reply has the later style; hard: the wrong one has it. A model that looks at substance alone has no gap.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from goldsmith.evaluate.resample import Figure, Floats, bootstrap_all
from goldsmith.evaluate.result import ItemRecord
from goldsmith.evaluate.statistics import Estimate

STYLES = 3
LEVELS = ("easy", "normal", "hard")


@dataclass(frozen=True, slots=True, kw_only=True)
class StyleGap:
    """Accuracy by level, each the mean of the domains, and easy minus hard, with intervals over prompts."""

    easy: Estimate
    normal: Estimate
    hard: Estimate
    gap: Estimate


def domain_of(subset: str) -> str:
    """Return the domain of a subset: both kinds of safety are one."""
    return "safety" if subset.startswith("safety") else subset


def style_gap(items: Iterable[ItemRecord], *, seed: int) -> StyleGap | None:
    """Return the gap over RM-Bench items, None without any; a failed comparison is not right."""
    rows = [item for item in items if len(item.decisions) == STYLES * STYLES]
    if not rows:
        return None
    domains = sorted({domain_of(row.subset) for row in rows})
    place = {name: number for number, name in enumerate(domains)}
    features = np.zeros((len(rows), len(domains), len(LEVELS) + 1))
    for number, row in enumerate(rows):
        features[number, place[domain_of(row.subset)]] = [*level_credits(row), 1.0]
    prompts = [row.prompt_id for row in rows]
    flat = features.reshape(len(rows), -1)

    def level(number: int) -> Figure:
        return lambda sums: _levels(sums, len(domains))[..., number]

    figures = {name: level(number) for number, name in enumerate(LEVELS)}
    figures["gap"] = lambda sums: level(0)(sums) - level(2)(sums)
    found = bootstrap_all(figures, flat, prompts, seed=seed)
    return StyleGap(easy=found["easy"], normal=found["normal"], hard=found["hard"], gap=found["gap"])


def level_credits(item: ItemRecord) -> tuple[float, float, float]:
    """Return the share of right decisions among the three easy, normal and hard comparisons of a row."""
    counts = [0.0, 0.0, 0.0]
    for (right, wrong), decision in zip(item.comparisons, item.decisions, strict=True):
        own, other = right, wrong - STYLES
        counts[0 if own > other else 1 if own == other else 2] += decision == "right"
    return counts[0] / STYLES, counts[1] / STYLES, counts[2] / STYLES


def _levels(sums: Floats, num_domains: int) -> Floats:
    """Return the levels of sums, shape [..., 3]: the mean over the domains that a resample has rows of."""
    table = sums.reshape(*sums.shape[:-1], num_domains, len(LEVELS) + 1)
    levels: Floats = np.nanmean(table[..., :-1] / table[..., -1:], axis=-2)
    return levels
