"""From a benchmark's items to its result: means, intervals, groups, counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from goldsmith.benchdata.suite import BenchmarkData
from goldsmith.evaluate.result import BenchmarkResult, ItemRecord, SourceFile, SubsetResult
from goldsmith.evaluate.scoring import judgebench, pairs, ppe_correctness, ppe_preference, rewardbench, rewardbench2, rmb, rmbench
from goldsmith.evaluate.scoring.groups import ALL, GroupMeans, group_means, subset_result, terms_of, undefined
from goldsmith.evaluate.scoring.rule import Figures, Rule, Settings

RULES: Mapping[str, Rule] = {
    "rewardbench": rewardbench.RULE,
    "rewardbench-2": rewardbench2.RULE,
    "ppe-preference": ppe_preference.RULE,
    "ppe-correctness": ppe_correctness.RULE,
    "rmb": rmb.RULE,
    "rm-bench": rmbench.RULE,
    "judgebench": judgebench.RULE,
}

NOT_ANSWERED = "not answered"
"""Why there is no number where no item of a benchmark has a score or verdict."""


def rule_of(benchmark: str) -> Rule:
    """Return the rule of a benchmark; extras and the user's own files have that of pairs."""
    return RULES.get(benchmark, pairs.RULE)


def summarise(data: BenchmarkData, records: Sequence[ItemRecord], settings: Settings) -> BenchmarkResult:
    """Return the result of a benchmark whose items have been scored.

    Args:
        data: what was read; its counts are those of the reading that gave the items.
        records: one an item.
        settings: of the intervals.
    """
    rule = rule_of(data.id)
    groups: dict[tuple[str, str], list[ItemRecord]] = {}
    terms = []
    for record in records:
        own = rule.groups(record)
        for group in own:
            groups.setdefault(group, []).append(record)
        terms += terms_of(record, [ALL, *dict.fromkeys(name for _, name in own)])
    means = group_means([*terms, *rule.more_terms(records)], seed=settings.seed, resamples=settings.resamples)
    unanswered = _unanswered(records)
    figures = rule.figures(records, means, settings)
    if unanswered:
        means, figures = GroupMeans(draws={}, num_prompts={}), _without_numbers(figures, unanswered)
    expected = data.benchmark.expected if data.benchmark else {}
    complete, notes = _completeness(data, groups, expected, len(records))
    digests = data.digests()
    return BenchmarkResult(
        id=data.id,
        title=data.title,
        files=[SourceFile(path=name, digest=digests.get(name, ""), num_rows=number) for name, number in data.rows.items()],
        official=figures.official,
        paper=figures.paper,
        chance=figures.chance,
        total=subset_result(
            "all", "all", records, means.draws.get(ALL), num_expected=data.benchmark.num_expected if data.benchmark else None
        ),
        subsets=_subsets(groups, means, figures, expected),
        metrics=figures.metrics,
        notes=[*figures.notes, *notes],
        is_complete=complete,
    )


def _unanswered(records: Sequence[ItemRecord]) -> str:
    """Say why there is no number where not one item was answered, which no score may hide; empty otherwise."""
    counted = [record for record in records if record.is_counted]
    if not counted or any(record.outcome != "failed" for record in counted):
        return ""
    return f"none of {len(counted):,} items was answered: {counted[0].reason}"


def _without_numbers(figures: Figures, reason: str) -> Figures:
    """The note says why; the numbers' own reason is short, as it stands in the cells of many tables."""
    official, paper = figures.official, figures.paper
    return Figures(
        official=undefined(official.name, NOT_ANSWERED, official.rule),
        paper=paper and undefined(paper.name, NOT_ANSWERED, paper.rule),
        notes=[*figures.notes, reason],
        chance=figures.chance,
    )


def _subsets(
    groups: Mapping[tuple[str, str], Sequence[ItemRecord]], means: GroupMeans, figures: Figures, expected: Mapping[str, int]
) -> list[SubsetResult]:
    order = {name: place for place, name in enumerate(expected)}
    ranked = sorted(groups, key=lambda group: (group[0], order.get(group[1], len(order)), group[1]))
    return [
        subset_result(
            name, level, groups[level, name], figures.draws.get(name, means.draws.get(name)), num_expected=expected.get(name)
        )
        for level, name in ranked
    ]


def _completeness(
    data: BenchmarkData, groups: Mapping[tuple[str, str], Sequence[ItemRecord]], expected: Mapping[str, int], num: int
) -> tuple[bool, list[str]]:
    notes = [f"{number} rows left out: {reason}" for reason, number in sorted(data.left_out.items())]
    if data.benchmark is None:
        return True, notes
    found = {name: len(records) for (_, name), records in groups.items()}
    required = {name: rows for name, rows in expected.items() if not name.startswith("claude/")}
    missing = [name for name in required if name not in found]
    other = [f"{name} {found[name]} of {rows}" for name, rows in expected.items() if name in found and found[name] != rows]
    if missing:
        notes.append(f"absent: {', '.join(missing)}")
    if other:
        notes.append(f"not the official number of rows: {', '.join(other)}")
    whole = data.benchmark.num_expected
    if whole is not None and not expected and num != whole:
        notes.append(f"{num} rows, and the official set has {whole}")
        other = other or ["rows"]
    return not missing and not other, notes
