"""The first part of a comparison: what the numbers allow to say, in plain words. It claims a difference only where an interval excludes 0."""

from __future__ import annotations

from collections.abc import Iterator

from goldsmith.evaluate.compare.data import ComparisonData, Difference, Model
from goldsmith.evaluate.correlation import FEWEST_INTERVAL, MISLEADING
from goldsmith.evaluate.homogeneity import ALIKE
from goldsmith.evaluate.report import text as say
from goldsmith.evaluate.report.data import Paragraph

LEAN = 0.05
"""Gap of accuracy, between right replies that have more of something and that have less, that is worth a sentence."""
MOST_RESULTS = 6
"""Sentences about two models; the table has all."""
NOISY_ERROR = 0.1
"""Calibration error that is worth a sentence."""


def comparison_words(data: ComparisonData) -> list[Paragraph]:
    """Return the paragraphs, in the order they are read."""
    paragraphs = [Paragraph(tone="plain", text=_given(data))]
    paragraphs += [Paragraph(tone="result", text=text) for text in _results(data)][:MOST_RESULTS]
    paragraphs += [Paragraph(tone="alert", text=text) for text in _alerts(data)]
    paragraphs += [Paragraph(tone="limit", text=text) for text in _limits(data)]
    return paragraphs


def real(data: ComparisonData) -> list[Model]:
    """Return the models that are no baselines."""
    return [model for model in data.models if not model.is_baseline]


def _given(data: ComparisonData) -> str:
    models = real(data)
    core = sum(benchmark.is_core for benchmark in data.benchmarks)
    rows = [model.name for model in data.models if model.is_baseline]
    text = f"{say.plural(len(models), 'model') if models else 'No model'} on {core} of the seven benchmarks"
    extra = len(data.benchmarks) - core
    text += f" and {say.plural(extra, 'other set')}" if extra else ""
    text += f"; rows to compare with: {say.enumerate_words(rows)}." if rows else "."
    return text


def _results(data: ComparisonData) -> Iterator[str]:
    models = real(data)
    if len(models) == 1:
        yield from _alone(data, models[0])
    for one, other in dict.fromkeys((row.one, row.other) for row in data.differences):
        names = {model.name for model in models}
        if one in names and other in names:
            yield _pair(data, one, other, [row for row in data.differences if (row.one, row.other) == (one, other)])


def _alone(data: ComparisonData, model: Model) -> Iterator[str]:
    if model.average.value is not None:
        yield f"{model.name} has {say.percent(model.average.value)} on average of the seven ({say.span(model.average.low, model.average.high)})."
        return
    told = [
        f"{data.title_of(name)} {say.percent(score.headline.value)}"
        for name, score in model.scores.items()
        if score.headline.value is not None
    ]
    if told:
        yield f"{model.name}: {say.enumerate_words(told)}."


def _pair(data: ComparisonData, one: str, other: str, rows: list[Difference]) -> str:
    better = [data.title_of(row.benchmark) for row in rows if (row.estimate.low or 0) > 0]
    worse = [data.title_of(row.benchmark) for row in rows if (row.estimate.high or 0) < 0]
    same = [data.title_of(row.benchmark) for row in rows if row.estimate.value is not None and not row.estimate.excludes_zero]
    parts = [
        f"better on {say.enumerate_words(better)}" if better else "",
        f"worse on {say.enumerate_words(worse)}" if worse else "",
        f"not told apart on {say.enumerate_words(same)}" if same else "",
    ]
    told = "; ".join(part for part in parts if part)
    return f"{one} against {other}, on the same items: {told or 'nothing to compare'}."


def _alerts(data: ComparisonData) -> Iterator[str]:
    for failed in data.failed_models:
        yield f"The model “{failed.name}” could not be evaluated, and is in no figure: {failed.reason}"
    baselines = {model.name for model in data.models if model.is_baseline}
    for model in real(data):
        beaten = [
            data.title_of(row.benchmark)
            for row in data.differences
            if row.one == model.name
            and row.other in baselines
            and row.estimate.value is not None
            and (row.estimate.low or -1) <= 0
        ]
        if beaten:
            yield f"{model.name} is not better than “the longer reply wins” on {say.enumerate_words(beaten)}."
    yield from _leaning(data)
    alike = [row for row in data.homogeneity.agreements if (row.errors.low or 0) > ALIKE]
    for row in alike:
        yield (
            f"{row.one} and {row.other} fail on the same comparisons far more than their accuracy explains (kappa of errors "
            f"{say.decimal(row.errors.value, 2)}, {say.alpha_span(row.errors.low, row.errors.high)}): they count as one model, not as two."
        )
    for found in data.homogeneity.shared:
        yield f"By their cards, {say.enumerate_words(found.models)} share the {found.what} `{found.name}`."
    for low in data.downstream:
        if low.pearson.high is not None and low.pearson.high < MISLEADING:
            yield (
                f"{data.title_of(low.one)} says little about {low.other}: correlation {say.decimal(low.pearson.value, 2)} "
                f"({say.alpha_span(low.pearson.low, low.pearson.high)}) over {say.plural(low.pearson.num_models, 'model')}."
            )
    yield from _contaminated(data)


def _leaning(data: ComparisonData) -> Iterator[str]:
    words = {"length": "is the longer one", "format": "has more formatting", "position": "is listed first"}
    names = {model.name for model in real(data)}
    wanted = "all" if len(data.benchmarks) > 1 else next((item.id for item in data.benchmarks), "all")
    for feature, what in words.items():
        told = [
            f"{row.model} {say.points(row.panel.gap.value)} ({say.span_points(row.panel.gap.low, row.panel.gap.high)})"
            for row in data.panels
            if (row.benchmark, row.panel.feature) == (wanted, feature) and row.model in names and (row.panel.gap.low or 0) > 0
            if (row.panel.gap.value or 0) > LEAN
        ]
        if told:
            yield f"Right more often where the right reply {what} than where it is not: {say.enumerate_words(told)}."
    for shown in data.shown_first:
        if shown.model in names and (shown.low > 0.5 or shown.high < 0.5):
            share = shown.wins / shown.games
            yield (
                f"{shown.model} as a judge prefers the reply shown first in {say.percent(share)} of {say.plural(shown.games, 'game')} on "
                f"{data.title_of(shown.benchmark)} ({say.span(shown.low, shown.high)}); half is fair."
            )


def _contaminated(data: ComparisonData) -> Iterator[str]:
    found = data.contamination
    if found is None:
        return
    hit = [
        f"{data.title_of(row.benchmark)} {say.count(sum(row.pairs.values()))}" for row in found.rows if sum(row.pairs.values())
    ]
    if hit:
        yield f"Of {say.plural(found.num_pairs, 'pair')} of the training pool `{found.pool}`, some share text with a benchmark's prompts: {say.enumerate_words(hit)}."


def _limits(data: ComparisonData) -> Iterator[str]:
    if data.absent:
        yield f"Not there, so in no figure: {'; '.join(f'{item.title} ({item.where})' for item in data.absent)}."
    partial = list(
        dict.fromkeys(
            data.title_of(name) for model in data.models for name, score in model.scores.items() if not score.is_complete
        )
    )
    if partial:
        yield f"Not the official number of rows, so not to be held against published scores: {say.enumerate_words(partial)}."
    counts = {"failed": "that failed", "truncated": "that were cut", "ties": "with equal scores"}
    for model in data.models:
        told = []
        silent = [
            data.title_of(name) for name, score in model.scores.items() if score.total.accuracy is None and score.total.num_items
        ]
        if silent:
            yield f"{model.name} answered no item of {say.enumerate_words(silent)}: no score there, and in no figure."
        for kind, what in counts.items():
            number = sum(
                getattr(score.total, f"num_{kind}") for score in model.scores.values() if score.total.accuracy is not None
            )
            if number and (kind != "ties" or not model.is_baseline):
                told.append(f"{say.plural(number, 'item')} {what}")
        if told:
            yield f"{model.name}: {say.enumerate_words(told)}; they stay in every denominator."
    num_models = len(real(data))
    if 1 < num_models < FEWEST_INTERVAL and len(data.benchmarks) > 1:
        yield f"{say.plural(num_models, 'model')} are too few to say how benchmarks correlate; {FEWEST_INTERVAL} give an interval, and a wide one."
    for row in data.reliabilities:
        if (row.raw.error.value or 0) > NOISY_ERROR:
            fitted = row.fitted.error.value if row.fitted is not None else None
            after = f"; with a fitted temperature {say.percent(fitted)}" if fitted is not None else ""
            yield f"{row.model}'s raw score differences are no probabilities: calibration error {say.percent(row.raw.error.value)}{after}."
    yield from data.notes
