"""The comparison as Markdown, for a pull request or a model card's body: words, scores, differences; foreign text is inert."""

from __future__ import annotations

import re
from collections.abc import Sequence

from goldsmith.evaluate.compare.data import ComparisonData
from goldsmith.evaluate.published import published_source
from goldsmith.evaluate.report import text as say
from goldsmith.evaluate.result import Metric

_SPECIAL = re.compile(r"([\\`*_\[\]|~$!]|:(?=//)|(?<=www)\.|^[#+=.)-]|(?<=^\d)[.)])")
"""What Markdown reads: emphasis, code, links, tables, addresses, and what begins a block at the start of a line."""
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;"}


def markdown(data: ComparisonData) -> str:
    """Return the comparison as GitHub-flavoured Markdown."""
    parts = [f"# {inert(data.title)}", *(_sentence(paragraph.text) for paragraph in data.words), "## Scores", _scores(data)]
    if data.published:
        parts.append(f"Rows marked “published” are from {inert(published_source())}; they were not measured here.")
    if data.differences:
        parts += ["## Differences on the same items, points", _differences(data)]
    parts.append(
        f"Written by Goldsmith {inert(data.version)}; seed {data.seed}, {data.resamples} resamples of prompts, 95 % intervals."
    )
    return "\n\n".join(parts) + "\n"


def inert(text: str) -> str:
    """Return text that Markdown and HTML leave as it is: on one line, no mark-up, no link, nobody mentioned."""
    line = _SPECIAL.sub(r"\\\1", " ".join(say.clean(text).split()))
    return "".join(_ENTITIES.get(letter, letter) for letter in line)


def _sentence(text: str) -> str:
    return f"- {inert(text)}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _scores(data: ComparisonData) -> str:
    head = ["model", *(inert(benchmark.title) for benchmark in data.benchmarks), "average"]
    rows = []
    for model in data.models:
        cells = [_metric(model.scores[b.id].headline if b.id in model.scores else None) for b in data.benchmarks]
        name = inert(model.name) + (" (rule, no model)" if model.is_baseline else "")
        rows.append([name, *cells, _metric(model.average)])
    rows.append(["chance", *(say.percent(benchmark.chance) for benchmark in data.benchmarks), say.NONE])
    for row in data.published:
        cells = [say.percent(row.scores.get(benchmark.id)) for benchmark in data.benchmarks]
        rows.append([f"{inert(row.name)} (published)", *cells, say.percent(row.average)])
    return _table(head, rows)


def _metric(number: Metric | None) -> str:
    if number is None or number.value is None:
        return say.NONE
    interval = (
        f" ({100 * number.low:.1f} to {100 * number.high:.1f})" if number.low is not None and number.high is not None else ""
    )
    return say.percent(number.value) + interval


def _differences(data: ComparisonData) -> str:
    head = ["first minus second", *(inert(benchmark.title) for benchmark in data.benchmarks)]
    rows = []
    for one, other in dict.fromkeys((row.one, row.other) for row in data.differences):
        found = {row.benchmark: row.estimate for row in data.differences if (row.one, row.other) == (one, other)}
        cells = []
        for benchmark in data.benchmarks:
            estimate = found.get(benchmark.id)
            known = estimate is not None and estimate.value is not None
            cells.append(
                f"{say.points(estimate.value)} ({say.span_points(estimate.low, estimate.high)})"
                if estimate and known
                else say.NONE
            )
        rows.append([f"{inert(one)} minus {inert(other)}", *cells])
    return _table(head, rows)
