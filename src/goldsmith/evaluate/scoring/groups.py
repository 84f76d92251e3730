"""Means over groups of items and their resamples, prompts drawn whole: what every benchmark's numbers are functions of.

A `Draws` holds a number and its resamples together, so that a rule is written once and gives value and interval. Shape [1 + R]: the
number itself, then R resamples.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from goldsmith.evaluate.resample import Floats, interval, resampled_totals
from goldsmith.evaluate.result import ItemRecord, Metric, SubsetResult
from goldsmith.evaluate.statistics import wilson

ALL = "\0all"
"""The group of every item; a benchmark may well have a subset called `all`, which is another one."""
Draws = Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """What one item adds to the mean of one group."""

    group: str
    cluster: str
    value: float
    weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupMeans:
    """Weighted means of groups, each with its resamples, and the number of prompts that a group rests on."""

    draws: Mapping[str, Draws]
    num_prompts: Mapping[str, int]

    def __contains__(self, group: str) -> bool:
        return group in self.draws

    def __getitem__(self, group: str) -> Draws:
        return self.draws[group]

    def of(self, groups: Iterable[str]) -> dict[str, Draws]:
        """Return those of the groups that are there."""
        return {group: self.draws[group] for group in groups if group in self.draws}


def group_means(terms: Sequence[Term], *, seed: int, resamples: int) -> GroupMeans:
    """Return the means of every group that has weight.

    All groups share their resamples: a prompt that stands in two of them is drawn for both. A resample in which a group has no item
    keeps the group's mean. A group of one prompt has no resamples (NaN), and what rests on it no interval.
    """
    names = {name: place for place, name in enumerate(dict.fromkeys(term.group for term in terms))}
    clusters = {name: place for place, name in enumerate(dict.fromkeys(term.cluster for term in terms))}
    if not names:
        return GroupMeans(draws={}, num_prompts={})
    size = len(names)
    totals = np.zeros((len(clusters), 2 * size))
    for term in terms:
        place, group = clusters[term.cluster], names[term.group]
        totals[place, group] += term.value * term.weight
        totals[place, size + group] += term.weight
    whole = totals.sum(axis=0)
    drawn = resampled_totals(totals, seed=seed, resamples=resamples) if len(clusters) > 1 else np.zeros((0, 2 * size))
    with np.errstate(divide="ignore", invalid="ignore"):
        means = whole[:size] / whole[size:]
        resampled = np.where(drawn[:, size:] > 0, drawn[:, :size] / drawn[:, size:], means)
    prompts = (totals[:, size:] > 0).sum(axis=0)
    resampled[:, prompts < 2] = np.nan
    both = np.vstack([means, resampled])
    kept = {name: place for name, place in names.items() if whole[size + place] > 0}
    return GroupMeans(
        draws={name: both[:, place] for name, place in kept.items()},
        num_prompts={name: int(prompts[place]) for name, place in kept.items()},
    )


def mean_of(draws: Iterable[Draws]) -> Draws:
    """Return the unweighted mean of several numbers with their resamples."""
    mean: Draws = np.mean(np.vstack(list(draws)), axis=0)
    return mean


def ends(draws: Draws, num_prompts: int = 0) -> tuple[float | None, float | None]:
    """Return the 95 % interval; where every prompt has the same outcome, 0 or 1, Wilson's over the prompts stands in."""
    found = interval(draws[1:]) if len(draws) > 1 else None
    if found is None:
        return None, None
    if found[0] == found[1] == draws[0] and draws[0] in (0.0, 1.0) and num_prompts:
        return wilson(int(draws[0] * num_prompts), num_prompts) or (None, None)
    return found


def metric(name: str, draws: Draws, rule: str = "", *, num_prompts: int = 0, from_memory: bool = False) -> Metric:
    """Return a number with its interval as a record."""
    low, high = ends(draws, num_prompts)
    reason = "" if low is not None else "it rests on one prompt, or a part of it does: no interval"
    return Metric(name=name, value=float(draws[0]), low=low, high=high, rule=rule, is_from_memory=from_memory, reason=reason)


def undefined(name: str, reason: str, rule: str = "") -> Metric:
    """Return a number that cannot be had."""
    return Metric(name=name, value=None, rule=rule, reason=reason)


def partial(
    name: str, parts: Mapping[str, Draws], wanted: Sequence[str], rule: str, *, num_prompts: int = 0
) -> tuple[Metric, list[Metric]]:
    """Return the unweighted mean of parts, which is undefined when one is missing; and then the mean over those that are there beside it."""
    there = [name for name in wanted if name in parts]
    if len(there) == len(wanted):
        return metric(name, mean_of(parts[part] for part in wanted), rule, num_prompts=num_prompts), []
    missing = undefined(name, f"absent: {', '.join(part for part in wanted if part not in parts)}", rule)
    if not there:
        return missing, []
    some = metric(
        f"{name}, of what is there", mean_of(parts[part] for part in there), f"only {', '.join(there)}", num_prompts=num_prompts
    )
    return missing, [some]


def terms_of(record: ItemRecord, groups: Iterable[str]) -> list[Term]:
    """Return what an item adds to the mean credit of its groups; nothing when it is in no denominator."""
    if not record.is_counted:
        return []
    return [Term(group=group, cluster=record.prompt_id, value=record.points, weight=record.weight) for group in groups]


def subset_result(
    name: str, level: str, records: Sequence[ItemRecord], draws: Draws | None, *, num_expected: int | None = None
) -> SubsetResult:
    """Return the counts of a group beside its accuracy; `draws` is that of `accuracy`, None without items."""
    counted = [record for record in records if record.is_counted]
    scored = [record for record in counted if record.outcome != "failed"]
    prompts = len({record.prompt_id for record in counted})
    low, high = (None, None) if draws is None else ends(draws, prompts)
    weight = sum(record.weight for record in scored)
    has_failed = any(record.outcome == "failed" for record in counted)
    without = sum(record.points * record.weight for record in scored) / weight if weight else None
    return SubsetResult(
        name=name,
        level=level,
        accuracy=None if draws is None else float(draws[0]),
        accuracy_scored=without if has_failed else None if draws is None else float(draws[0]),
        low=low,
        high=high,
        num_items=len(counted),
        num_comparisons=sum(len(record.comparisons) for record in counted),
        num_prompts=prompts,
        num_ties=sum("tie" in record.decisions for record in counted),
        num_truncated=sum(record.is_truncated for record in counted),
        num_failed=sum("failed" in record.decisions or record.outcome == "failed" for record in counted),
        num_unlabelled=len(records) - len(counted),
        num_expected=num_expected,
    )
