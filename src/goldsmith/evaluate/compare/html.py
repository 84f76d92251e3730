"""One self-contained page of a comparison: no script, no request, every foreign character escaped and nothing hidden."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from goldsmith.evaluate.compare import figures
from goldsmith.evaluate.compare.data import ComparisonData, Difference, Failure, Score
from goldsmith.evaluate.compare.radar import radar
from goldsmith.evaluate.compare.words import real
from goldsmith.evaluate.correlation import FEWEST_INTERVAL
from goldsmith.evaluate.published import published_source
from goldsmith.evaluate.report.charts import Picture
from goldsmith.evaluate.report.html import environment, readable, style

_HERE = Path(__file__).parent
MOST_FIGURES = 3
"""Pairs of models whose differences are drawn; all are in the table."""


def render(data: ComparisonData) -> str:
    """Return the page as HTML."""
    page: str = (
        environment(_HERE)
        .get_template("comparison.html")
        .render(
            data=data,
            words=data.words,
            real=real(data),
            pictures=_pictures(data),
            pairs=_pairs(data),
            fewest_models=FEWEST_INTERVAL,
            groups=_groups(data),
            notes={benchmark.id: notes_of(data, benchmark.id) for benchmark in data.benchmarks},
            failures=_numbered(data),
            curves={name: figures.curve_figure(data, name) for name in dict.fromkeys(row.benchmark for row in data.curves)},
            published_source=published_source(),
            style=style() + (_HERE / "comparison.css").read_text(encoding="utf-8"),
            created=readable(data.created),
        )
    )
    return page


def _pictures(data: ComparisonData) -> dict[str, Picture | None]:
    return {
        "radar": radar(data),
        "bars": figures.bars(data),
        "style": figures.style_figure(data),
        "length": figures.length_figure(data),
        **{f"lean_{feature}": figures.shortcut_figure(data, feature) for feature in ("length", "format", "position")},
        "reliability": figures.reliability_figure(data),
    }


def _pairs(data: ComparisonData) -> list[tuple[str, str, list[Difference], Picture | None]]:
    """Return (one, other, their differences, the picture of the first few) of every two models that were compared."""
    names = list(dict.fromkeys((row.one, row.other) for row in data.differences))
    return [
        (
            one,
            other,
            [row for row in data.differences if (row.one, row.other) == (one, other)],
            figures.difference_figure(data, one, other) if place < MOST_FIGURES else None,
        )
        for place, (one, other) in enumerate(names)
    ]


def _groups(data: ComparisonData) -> dict[str, list[tuple[str, str, dict[str, Any]]]]:
    """Return, by benchmark, (level, name, model -> its result) of every subset and group, in the order of the first model that has it."""
    found: dict[str, list[tuple[str, str, dict[str, Any]]]] = {}
    for benchmark in data.benchmarks:
        rows: dict[tuple[str, str], dict[str, Any]] = {}
        for model in data.models:
            score: Score | None = model.scores.get(benchmark.id)
            for subset in score.subsets if score else []:
                rows.setdefault((subset.level, subset.name), {})[model.name] = subset
        found[benchmark.id] = [(level, name, by_model) for (level, name), by_model in rows.items()]
    return found


def notes_of(data: ComparisonData, benchmark: str) -> list[tuple[list[str], list[str]]]:
    """Return (models, their notes) of a benchmark; what is said of all of them comes first, once, under no name."""
    having = [model for model in data.models if benchmark in model.scores]
    said: dict[str, list[str]] = {}
    for model in having:
        for note in dict.fromkeys(model.scores[benchmark].notes):
            said.setdefault(note, []).append(model.name)
    found: dict[tuple[str, ...], list[str]] = {}
    for note, names in said.items():
        found.setdefault(() if len(names) == len(having) > 1 else tuple(names), []).append(note)
    return sorted(((list(names), notes) for names, notes in found.items()), key=lambda row: len(row[0]) > 0)


def _numbered(data: ComparisonData) -> dict[str, Any]:
    """Return the failures with the numbers of their model and benchmark, by which the page's filter works."""
    models = list(dict.fromkeys(failure.model for failure in data.failures))
    benchmarks = list(dict.fromkeys(failure.benchmark for failure in data.failures))
    rows: list[tuple[int, int, Failure]] = [
        (models.index(failure.model), benchmarks.index(failure.benchmark), failure) for failure in data.failures
    ]
    return {"models": models, "benchmarks": [data.title_of(name) for name in benchmarks], "rows": rows}
