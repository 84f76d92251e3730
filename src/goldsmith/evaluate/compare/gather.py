"""From results on disk to the record of a comparison, one benchmark in memory at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import combinations

from goldsmith.evaluate.compare.curves import curve_rows
from goldsmith.evaluate.compare.data import (
    Benchmark,
    ComparisonData,
    CurveRow,
    Difference,
    Failure,
    Model,
    PanelRow,
    PublishedRow,
    ReliabilityRow,
    Score,
    ShownFirst,
    StyleRow,
)
from goldsmith.evaluate.compare.decisions import SIGNS, Decisions, decisions_of
from goldsmith.evaluate.compare.failures import MOST_OF_A_KIND, candidates, failure, worth_a_look
from goldsmith.evaluate.compare.load import BASELINES, Evaluated
from goldsmith.evaluate.compare.longer import with_longer
from goldsmith.evaluate.compare.panels import joined, panels_of, reliability_of, shown_first_of
from goldsmith.evaluate.compare.together import correlations, downstream_correlations, homogeneity
from goldsmith.evaluate.paired import differences
from goldsmith.evaluate.published import published
from goldsmith.evaluate.result import AbsentBenchmark, BenchmarkResult, ItemRecord
from goldsmith.evaluate.scoring.rule import Settings
from goldsmith.evaluate.style_gap import style_gap
from goldsmith.evaluate.texts import FailureTexts, read_texts
from goldsmith.version import code_version

MOST_MODELS_PAIRED = 6
"""Up to this many models, every two are compared; beyond it, each with the first."""
MOST_FAILURES = 240
"""Failures on a page; each model and benchmark gets an equal share of them, of both kinds."""
Key = tuple[str, int, int]
"""An item and the places of the right and the wrong reply: one comparison, the same for every model."""


@dataclass(slots=True)
class _Found:
    """What has been computed so far."""

    differences: list[Difference] = field(default_factory=list)
    curves: list[CurveRow] = field(default_factory=list)
    styles: list[StyleRow] = field(default_factory=list)
    panels: list[PanelRow] = field(default_factory=list)
    shown: list[ShownFirst] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    decisions: dict[str, dict[str, Decisions]] = field(default_factory=dict)
    """Model to benchmark to decisions."""


def gather(
    models: Sequence[Evaluated],
    *,
    title: str = "Evaluation",
    downstream: Mapping[str, float] | None = None,
    downstream_name: str = "downstream",
    show_published: bool = True,
    seed: int | None = None,
) -> ComparisonData:
    """Return the comparison of evaluated models.

    Args:
        models: from `load`.
        title: of the report.
        downstream: a measure of real use by model name.
        downstream_name: how it is called.
        show_published: add the paper's rows.
        seed: of all intervals; None: that of the first result.

    Raises:
        DataError: a table of items is broken.
    """
    settings = _settings(models, seed)
    models = with_longer(models, settings)
    rows, benchmarks = [_model(model) for model in models], _benchmarks(models)
    found = _Found(decisions={model.name: {} for model in models})
    for benchmark in benchmarks:
        _one_benchmark(benchmark.id, models, found, settings)
    reliabilities = _pooled(models, found, settings)
    _in_order(found, models)
    real = [row for row in rows if not row.is_baseline]
    return ComparisonData(
        title=title, created=datetime.now(UTC).isoformat(timespec="seconds"), version=code_version(), seed=settings.seed,
        resamples=settings.resamples, models=rows, benchmarks=benchmarks, absent=_absent(models, benchmarks),
        published=_published() if show_published else [], differences=found.differences, curves=found.curves, styles=found.styles,
        panels=found.panels, shown_first=found.shown, reliabilities=reliabilities, correlations=correlations(rows),
        downstream=downstream_correlations(rows, found.curves, downstream, downstream_name),
        homogeneity=homogeneity({row.name: found.decisions[row.name] for row in real}, real, seed=settings.seed),
        failures=found.failures,
    )  # fmt: skip


def _settings(models: Sequence[Evaluated], seed: int | None) -> Settings:
    """Return the seed given or that of the first result, and the fewest resamples of any."""
    return Settings(
        seed=models[0].result.settings.seed if seed is None else seed,
        resamples=min(model.result.settings.resamples for model in models),
    )


def _in_order(found: _Found, models: Sequence[Evaluated]) -> None:
    """Put failures model by model, and differences of models before those with a rule."""
    place = {model.name: number for number, model in enumerate(models)}
    rules = {model.name for model in models if model.is_baseline}
    found.failures.sort(key=lambda failed: place[failed.model])
    found.differences.sort(key=lambda row: (row.other in rules, place[row.one], place[row.other]))


def _published() -> list[PublishedRow]:
    return [PublishedRow(name=row.name, scores=row.scores, average=row.average) for row in published()]


def _one_benchmark(name: str, models: Sequence[Evaluated], found: _Found, settings: Settings) -> None:
    """Everything that needs the items of one benchmark."""
    having = [model for model in models if _has_answers(model, name)]
    items = {model.name: list(model.items(name)) for model in having}
    real = [model.name for model in having if not model.is_baseline]
    for pair, (estimate, alone) in differences(name, items, _pairs(having), settings).items():
        found.differences.append(Difference(one=pair[0], other=pair[1], benchmark=name, estimate=estimate, num_left_out=alone))
    texts = _texts(name, models)
    signs = {model: _signs(items[model]) for model in real}
    num = max(1, MOST_FAILURES // max(1, 2 * sum(len(model.result.benchmarks) for model in models if not model.is_baseline)))
    for model in having:
        _one_model(name, model, items[model.name], found, settings)
    for model_name in real:
        others = {other: signs[other] for other in real if other != model_name}
        for candidate, reasons in worth_a_look(candidates(items[model_name]), others, texts, most=min(MOST_OF_A_KIND, num)):
            found.failures.append(failure(model_name, candidate, reasons, others, texts.get(candidate.key)))


def _has_answers(model: Evaluated, name: str) -> bool:
    """Whether a model answered any item of a benchmark: one that answered none is a row without a number, and in no figure."""
    result = model.result.benchmark(name)
    return result is not None and result.total.accuracy is not None


def _one_model(name: str, model: Evaluated, items: Sequence[ItemRecord], found: _Found, settings: Settings) -> None:
    decisions = decisions_of(items)
    found.decisions[model.name][name] = decisions
    found.curves += curve_rows(model.name, name, items, seed=settings.seed, resamples=settings.resamples)
    found.panels += panels_of(model.name, name, decisions, seed=settings.seed)
    found.shown += shown_first_of(model.name, name, decisions)
    gap = style_gap(items, seed=settings.seed) if name == "rm-bench" else None
    if gap is not None:
        found.styles.append(StyleRow(model=model.name, easy=gap.easy, normal=gap.normal, hard=gap.hard, gap=gap.gap))


def _pooled(models: Sequence[Evaluated], found: _Found, settings: Settings) -> list[ReliabilityRow]:
    """Panels and calibration over the comparisons of all benchmarks."""
    rows = []
    # A model with one benchmark beside models with several has its line in their pictures too.
    has_several = len({name for own in found.decisions.values() for name in own}) > 1
    for model in models:
        parts = list(found.decisions[model.name].values())
        if not parts:
            continue
        whole = joined(parts)
        if has_several:
            found.panels += panels_of(model.name, "all", whole, seed=settings.seed)
        if not model.is_baseline:
            rows += reliability_of(model.name, whole, seed=settings.seed)
    return rows


def _texts(benchmark: str, models: Sequence[Evaluated]) -> dict[Key, FailureTexts]:
    """Return every text that was kept with any of the results: what one model kept serves the others."""
    kept: dict[Key, FailureTexts] = {}
    for model in models:
        for text in read_texts(model.folder, benchmark):
            kept.setdefault((text.item_id, text.better, text.worse), text)
    return kept


def _signs(items: Sequence[ItemRecord]) -> dict[Key, int]:
    """Return each decided comparison's sign."""
    return {
        (item.item_id, *pair): SIGNS[decision]
        for item in items
        for pair, decision in zip(item.comparisons, item.decisions, strict=True)
        if decision in SIGNS
    }


def _pairs(models: Sequence[Evaluated]) -> list[tuple[str, str]]:
    """Return which models to subtract from which: every two (or each and the first), and each and "longer wins"."""
    real = [model.name for model in models if not model.is_baseline]
    pairs = list(combinations(real, 2)) if len(real) <= MOST_MODELS_PAIRED else [(real[0], other) for other in real[1:]]
    longer = [model.name for model in models if model.result.model.kind == "longer"][:1]
    return pairs + [(name, baseline) for name in real for baseline in longer]


def _model(model: Evaluated) -> Model:
    info = model.result.model
    return Model(
        name=model.name, spec=info.spec, kind=info.kind, digest=info.digest, is_baseline=info.kind in BASELINES,
        base_model=info.base_model, training_data=list(info.training_data),
        scores={item.id: _score(item) for item in model.result.benchmarks},
        average=model.result.average, seconds=model.result.seconds, created=model.result.created_at,
    )  # fmt: skip


def _score(item: BenchmarkResult) -> Score:
    return Score(
        official=item.official, paper=item.paper, total=item.total, subsets=item.subsets, metrics=item.metrics, notes=item.notes,
        is_complete=item.is_complete,
    )  # fmt: skip


def _benchmarks(models: Sequence[Evaluated]) -> list[Benchmark]:
    """Return the benchmarks that any model has, in the order of the first result that has most of them."""
    found: dict[str, Benchmark] = {}
    core = list(published()[0].scores)
    for model in sorted(models, key=lambda model: -len(model.result.benchmarks)):
        for item in model.result.benchmarks:
            found.setdefault(
                item.id, Benchmark(id=item.id, title=item.title, chance=item.chance, files=item.files, is_core=item.id in core)
            )
    return sorted(found.values(), key=lambda item: core.index(item.id) if item.id in core else len(core))


def _absent(models: Sequence[Evaluated], benchmarks: Sequence[Benchmark]) -> list[AbsentBenchmark]:
    there = {item.id for item in benchmarks}
    return list({item.id: item for model in models for item in model.result.absent if item.id not in there}.values())
