"""The comparison as CSV: one file a subject, one figure a row, fractions, empty where there is no value."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from goldsmith.evaluate.compare.data import ComparisonData
from goldsmith.evaluate.report import text as say
from goldsmith.evaluate.statistics import Estimate

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""


def tables(data: ComparisonData) -> dict[str, str]:
    """Return file name -> content; a table without rows is not written."""
    made = {
        "scores": (_SCORES, _scores(data)),
        "differences": (("one", "other", "benchmark", *_ESTIMATE), _differences(data)),
        "curves": (("model", "benchmark", "group", "n", "quality", "low", "high", "perfect"), _curves(data)),
        "panels": (("model", "benchmark", "feature", "figure", *_ESTIMATE), _panels(data)),
        "calibration": (("model", "probabilities", "low", "high", "confidence", "right", "right_low", "right_high", "comparisons"), _bins(data)),
        "correlations": (("one", "other", "kind", "value", "low", "high", "models", "reason"), _correlations(data)),
        "agreement": (("one", "other", "figure", *_ESTIMATE), _agreement(data)),
        "failed-models": (("model", "reason"), ([row.name, row.reason] for row in data.failed_models)),
        "failures": (("model", "benchmark", "subset", "item_id", "source_ref", "reasons", "score_right", "score_wrong"), _failures(data)),
    }  # fmt: skip
    written = {name: as_csv(head, list(rows)) for name, (head, rows) in made.items()}
    return {f"{name}.csv": text for name, text in written.items() if text.count("\n") > 1}


def as_csv(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return rows as CSV; a text that a spreadsheet would run as a formula begins with an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(head)
    writer.writerows([[_cell(value) for value in row] for row in rows])
    return out.getvalue()


_SCORES = (
    "model", "kind", "benchmark", "level", "name", "value", "low", "high", "items", "prompts", "ties", "cut", "failed", "unlabelled", "measured",
)  # fmt: skip
_ESTIMATE = ("value", "low", "high", "comparisons", "prompts", "reason")


def _cell(value: Any) -> Any:
    if not isinstance(value, str):
        return "" if value is None else value
    text = say.clean(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _estimate(found: Estimate) -> list[Any]:
    return [found.value, found.low, found.high, found.num_pairs, found.num_contexts, found.reason]


def _scores(data: ComparisonData) -> Iterable[list[Any]]:
    for model in data.models:
        for name, score in model.scores.items():
            start = [model.name, model.kind, name]
            rows = [("official", score.official)] + ([("paper", score.paper)] if score.paper else [])
            for level, number in [*rows, *(("other", number) for number in score.metrics)]:
                yield [*start, level, number.name, number.value, number.low, number.high, *_counts(score.total), True]
            for subset in score.subsets:
                yield [*start, subset.level, subset.name, subset.accuracy, subset.low, subset.high, *_counts(subset), True]
    for row in data.published:
        for name, value in row.scores.items():
            yield [row.name, "published", name, "paper", "overall", value, *[None] * 8, False]


def _counts(found: Any) -> list[int]:
    return [
        found.num_items, found.num_prompts, found.num_ties, found.num_truncated, found.num_failed, found.num_unlabelled,
    ]  # fmt: skip


def _differences(data: ComparisonData) -> Iterable[list[Any]]:
    return ([row.one, row.other, row.benchmark, *_estimate(row.estimate)] for row in data.differences)


def _curves(data: ComparisonData) -> Iterable[list[Any]]:
    for row in data.curves:
        curve = row.curve
        for place, value in enumerate(curve.quality):
            ends = (curve.low[place], curve.high[place]) if curve.low else (None, None)
            yield [row.model, row.benchmark, row.group, place + 1, value, *ends, curve.perfect[place]]


def _panels(data: ComparisonData) -> Iterable[list[Any]]:
    for row in data.panels:
        panel = row.panel
        named = {
            "prefers": panel.prefers,
            "label": panel.label,
            "accuracy_more": panel.accuracy_more,
            "accuracy_less": panel.accuracy_less,
            "gap": panel.gap,
            **panel.bins,
        }
        yield from ([row.model, row.benchmark, panel.feature, name, *_estimate(found)] for name, found in named.items())


def _bins(data: ComparisonData) -> Iterable[list[Any]]:
    for row in data.reliabilities:
        for name, found in (("raw", row.raw), ("fitted", row.fitted)):
            for part in found.bins if found is not None else []:
                right = part.right
                yield [row.model, name, part.low, part.high, part.confidence, right.value, right.low, right.high, right.num_pairs]


def _correlations(data: ComparisonData) -> Iterable[list[Any]]:
    for row in [*data.correlations, *data.downstream]:
        for found in (row.pearson, row.spearman):
            yield [row.one, row.other, found.kind, found.value, found.low, found.high, found.num_models, found.reason]


def _agreement(data: ComparisonData) -> Iterable[list[Any]]:
    for row in data.homogeneity.agreements:
        named = {"same decision": row.same, "kappa of decisions": row.decisions, "kappa of errors": row.errors}
        yield from ([row.one, row.other, name, *_estimate(found)] for name, found in named.items())


def _failures(data: ComparisonData) -> Iterable[list[Any]]:
    for row in data.failures:
        yield [
            row.model, row.benchmark, row.subset, row.item_id, row.source_ref, "; ".join(row.reasons), row.score_right, row.score_wrong,
        ]  # fmt: skip
