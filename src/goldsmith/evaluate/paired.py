"""Two models on the same items: the difference of their official scores, with an interval from shared resamples of prompts.

Every official score is a linear function of means over groups of items (weighted means of subsets, the terms of the Ties score). So the
benchmark's own rule, applied to the differences of two models' means, gives the difference of their scores; and as the means of both
rest on the same resampled prompts, it gives the paired interval.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from goldsmith.evaluate.result import ItemRecord
from goldsmith.evaluate.scoring.groups import ALL, GroupMeans, Term, group_means, terms_of
from goldsmith.evaluate.scoring.rule import Settings
from goldsmith.evaluate.scoring.summary import rule_of
from goldsmith.evaluate.statistics import Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class _Means:
    """The means of one model, and the prompts in the order they are resampled in."""

    means: GroupMeans
    clusters: tuple[str, ...]


def differences(
    benchmark: str, items: Mapping[str, Sequence[ItemRecord]], pairs: Sequence[tuple[str, str]], settings: Settings
) -> dict[tuple[str, str], tuple[Estimate, int]]:
    """Return the difference of the official scores of each two models, scale [-1, 1], and the number of items that only one of them has.

    Args:
        benchmark: the benchmark's id.
        items: model -> its items of this benchmark.
        pairs: (minuend, subtrahend).
        settings: of the resamples.

    Returns:
        Where the official rule gives no score because parts of the benchmark are absent, the difference over the parts that are there.
    """
    known: dict[tuple[str, tuple[str, ...]], _Means] = {}

    def means(model: str, own: Sequence[ItemRecord]) -> _Means:
        key = model, tuple(item.item_id for item in own)
        if key not in known:
            known[key] = _means(benchmark, own, settings)
        return known[key]

    found = {}
    for one, other in pairs:
        first, second, alone = shared_items(items[one], items[other])
        found[one, other] = _difference(benchmark, first, means(one, first), means(other, second), settings), alone
    return found


def shared_items(one: Sequence[ItemRecord], other: Sequence[ItemRecord]) -> tuple[list[ItemRecord], list[ItemRecord], int]:
    """Return the items of both models that ask the same, in one order, and the number that only one of them has.

    The same id is not enough: the replies must be the same too, or the two models read different data.
    """
    asked = {_key(item): item for item in other}
    both = [(item, asked[key]) for item in one if (key := _key(item)) in asked]
    return [item for item, _ in both], [item for _, item in both], len(one) + len(other) - 2 * len(both)


def _key(item: ItemRecord) -> tuple[str, str, tuple[bool, ...]]:
    return item.item_id, "".join(item.text_ids), tuple(item.good)


def _means(benchmark: str, items: Sequence[ItemRecord], settings: Settings) -> _Means:
    rule = rule_of(benchmark)
    terms: list[Term] = []
    for item in items:
        terms += terms_of(item, [ALL, *dict.fromkeys(name for _, name in rule.groups(item))])
    terms += rule.more_terms(items)
    return _Means(
        means=group_means(terms, seed=settings.seed, resamples=settings.resamples),
        clusters=tuple(dict.fromkeys(term.cluster for term in terms)),
    )


def _difference(benchmark: str, items: Sequence[ItemRecord], one: _Means, other: _Means, settings: Settings) -> Estimate:
    counted = [item for item in items if item.is_counted]
    prompts = len({item.prompt_id for item in counted})
    if not counted:
        return Estimate(reason="no item that both models have")
    # No prompts are told: a difference of 0 in every resample is no proportion, to which Wilson's interval would belong.
    difference = GroupMeans(
        draws={group: draws - other.means[group] for group, draws in one.means.draws.items() if group in other.means},
        num_prompts=dict.fromkeys(one.means.draws, 0),
    )
    # The resamples are in the means already; the rule's other figures, which are not looked at, need none.
    figures = rule_of(benchmark).figures(items, difference, Settings(seed=settings.seed, resamples=1))
    score = figures.official
    if score.value is None:
        partly = f"{score.name}, of what is there"
        score = next((metric for metric in figures.metrics if metric.name == partly), score)
    if one.clusters != other.clusters or score.low is None:
        reason = (
            "the failures of the two models group the prompts differently" if one.clusters != other.clusters else score.reason
        )
        return Estimate(
            value=score.value, num_pairs=len(counted), num_contexts=prompts, reason=f"{reason or 'one prompt'}: no interval"
        )
    return Estimate(
        value=score.value,
        low=score.low,
        high=score.high,
        num_pairs=len(counted),
        num_contexts=prompts,
        method="cluster-bootstrap",
    )
