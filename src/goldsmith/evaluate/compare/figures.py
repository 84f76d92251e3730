"""The pictures of a comparison: one function each, data in, picture out (None without data)."""

from __future__ import annotations

from typing import Any

from goldsmith.evaluate.compare.curves import ALL
from goldsmith.evaluate.compare.data import ComparisonData, CurveRow, PanelRow, ReliabilityRow
from goldsmith.evaluate.compare.look import Look, look_of
from goldsmith.evaluate.report.charts import Picture, picture, rows_height
from goldsmith.evaluate.report.shapes import forest
from goldsmith.evaluate.result import Metric
from goldsmith.evaluate.statistics import Estimate

MOST_DIFFERENCES = 14


def bars(data: ComparisonData) -> Picture | None:
    """Every model on every benchmark, with intervals; a mark shows chance."""
    look = look_of(data.models)
    rows = [
        {"benchmark": benchmark.title, "model": model.name, **_ends(model.scores[benchmark.id].headline)}
        for benchmark in data.benchmarks
        for model in data.models
        if model.name in look.names and benchmark.id in model.scores and model.scores[benchmark.id].headline.value is not None
    ]
    if not rows:
        return None
    titles = list(dict.fromkeys(str(row["benchmark"]) for row in rows))
    chance = [
        {"benchmark": benchmark.title, "chance": 100 * benchmark.chance}
        for benchmark in data.benchmarks
        if benchmark.chance is not None and benchmark.title in titles
    ]

    def make(alt: Any, is_narrow: bool) -> Any:
        y = alt.Y("benchmark:N", sort=titles, title=None, axis=alt.Axis(grid=False))
        base = alt.Chart(alt.InlineData(rows)).encode(y=y, yOffset=alt.YOffset("model:N", sort=look.names))
        scale = alt.Scale(domain=[0, 100], clamp=True)
        axis = alt.Axis(tickCount=5 if is_narrow else 10)
        drawn = base.mark_bar(height=10, opacity=0.75).encode(
            x=alt.X("value:Q", scale=scale, title="official score, %", axis=axis), color=look.colour(alt, is_narrow)
        )
        spans = base.mark_rule(strokeWidth=2, color="currentColor").encode(x=alt.X("low:Q", scale=scale), x2="high:Q")
        layers = [drawn, spans]
        if chance:
            ticks = alt.Chart(alt.InlineData(chance)).mark_tick(
                thickness=2, color="currentColor", opacity=0.8, size=14 * len(look.names) + 4
            )
            layers.append(ticks.encode(y=y, x=alt.X("chance:Q", scale=scale)))
        return alt.layer(*layers).properties(height=rows_height(len(titles), 14 * len(look.names) + 12))

    told = "; ".join(f"{row['benchmark']}, {row['model']}: {row['value']:.1f} %" for row in rows)
    return picture(make, f"Official scores with 95 % intervals; the upright mark is chance. {told}.")


def _ends(metric: Metric | Estimate) -> dict[str, float]:
    value = 100 * (metric.value or 0.0)
    return {
        "value": value,
        "low": value if metric.low is None else 100 * metric.low,
        "high": value if metric.high is None else 100 * metric.high,
    }


def difference_figure(data: ComparisonData, one: str, other: str) -> Picture | None:
    """One model minus another, benchmark by benchmark."""
    rows = [
        {"benchmark": data.title_of(row.benchmark), "all": row.estimate.excludes_zero, **_ends(row.estimate)}
        for row in data.differences
        if (row.one, row.other) == (one, other) and row.estimate.value is not None
    ][:MOST_DIFFERENCES]
    if not rows:
        return None
    told = "; ".join(f"{row['benchmark']} {row['value']:+.1f} points ({row['low']:+.1f} to {row['high']:+.1f})" for row in rows)
    return forest(
        rows, "benchmark", "difference, points", 0.0, f"{one} minus {other} on the same items, with 95 % intervals. {told}."
    )


def curve_figure(data: ComparisonData, benchmark: str) -> Picture | None:
    """Expected quality of the best of N, with intervals; dashed: if the best reply were always picked."""
    look = look_of(data.models, baselines=("longer", "random"))
    found = [row for row in data.curves if row.benchmark == benchmark and row.group == ALL and row.model in look.names]
    if not found:
        return None
    look = look.only({row.model for row in found})
    points = [point for row in found for point in _curve_points(row)]
    perfect = [{"n": place + 1, "quality": 100 * value} for place, value in enumerate(found[0].curve.perfect)]

    def make(alt: Any, is_narrow: bool) -> Any:
        ticks = curve_ticks(len(perfect))
        x = alt.X(
            "n:Q",
            scale=alt.Scale(type="log", base=2, domain=[1, len(perfect)], nice=False),
            title="N, replies to choose from",
            axis=alt.Axis(values=ticks, grid=False, format="d"),
        )
        scale = alt.Scale(zero=False, nice=True)
        base = alt.Chart(alt.InlineData(points)).encode(x=x, color=look.colour(alt, is_narrow))
        band = base.mark_area(opacity=0.15).encode(y=alt.Y("low:Q", scale=scale, title="expected quality, %"), y2="high:Q")
        line = base.mark_line(strokeWidth=2.2).encode(y=alt.Y("quality:Q", scale=scale))
        marked = base.transform_filter(alt.FieldOneOfPredicate(field="n", oneOf=ticks))
        dots = marked.mark_point(size=50, filled=True, opacity=1).encode(y=alt.Y("quality:Q", scale=scale), shape=look.shape(alt))
        top = (
            alt.Chart(alt.InlineData(perfect))
            .mark_line(strokeDash=[5, 4], color="currentColor", opacity=0.6)
            .encode(x=x, y=alt.Y("quality:Q", scale=scale))
        )
        return alt.layer(top, band, line, dots).properties(height=280)

    told = "; ".join(
        f"{row.model}: {100 * row.curve.quality[0]:.1f} % of one, {100 * row.curve.quality[-1]:.1f} % of {row.curve.size}"
        for row in found
    )
    return picture(
        make, f"Best-of-N on {data.title_of(benchmark)}. {told}. The best reply always picked: {perfect[-1]['quality']:.1f} %."
    )


def curve_ticks(size: int) -> list[int]:
    """Return the numbers of replies that are written below a curve: powers of two, and the last, with room between them."""
    powers = [2**power for power in range(size.bit_length())]
    return [n for n in powers if 1.25 * n <= size] + [size]


def _curve_points(row: CurveRow) -> list[dict[str, Any]]:
    curve = row.curve
    return [
        {
            "model": row.model,
            "n": place + 1,
            "quality": 100 * value,
            "low": 100 * (curve.low[place] if curve.low else value),
            "high": 100 * (curve.high[place] if curve.high else value),
        }
        for place, value in enumerate(curve.quality)
    ]


def style_figure(data: ComparisonData) -> Picture | None:
    """RM-Bench by difficulty of style."""
    look = look_of(data.models)
    rows = [
        {"model": row.model, "level": level, **_ends(estimate)}
        for row in data.styles
        if row.model in look.names
        for level, estimate in (("easy", row.easy), ("normal", row.normal), ("hard", row.hard))
        if estimate.value is not None
    ]
    if not rows:
        return None
    look = look.only({str(row["model"]) for row in rows})
    return _profile(rows, "level", ["easy", "normal", "hard"], "style against substance", look, "Accuracy on RM-Bench by style")


def length_figure(data: ComparisonData) -> Picture | None:
    """Accuracy by how much longer the right reply is."""
    look = look_of(data.models)
    rows = [row for row in _whole(data) if row.panel.feature == "length" and row.model in look.names]
    points = [
        {"model": row.model, "bin": name, **_ends(estimate)}
        for row in rows
        for name, estimate in row.panel.bins.items()
        if estimate.value is not None
    ]
    if not points:
        return None
    return _profile(
        points,
        "bin",
        list(rows[0].panel.bins),
        "length of the right reply against the wrong one",
        look,
        "Accuracy by length of the right reply",
    )


def _whole(data: ComparisonData) -> list[PanelRow]:
    """The panels over all benchmarks; of the only one where there is one."""
    wanted = "all" if len(data.benchmarks) > 1 else data.benchmarks[0].id
    return [row for row in data.panels if row.benchmark == wanted]


def _profile(rows: list[dict[str, Any]], field: str, order: list[str], title: str, look: Look, alternative: str) -> Picture:
    """Accuracy along a few ordered classes, one line a model, with intervals."""

    def make(alt: Any, is_narrow: bool) -> Any:
        axis = alt.Axis(labelAngle=-30 if is_narrow else 0, labelLimit=140, grid=False)
        x = alt.X(f"{field}:N", sort=order, title=title, axis=axis, scale=alt.Scale(type="point", padding=0.4))
        scale = alt.Scale(domain=[0, 100])
        base = alt.Chart(alt.InlineData(rows)).encode(x=x, color=look.colour(alt, is_narrow))
        line = base.mark_line(strokeWidth=2.2).encode(
            y=alt.Y("value:Q", scale=scale, title="accuracy, %", axis=alt.Axis(tickCount=5))
        )
        span = base.mark_rule(strokeWidth=2).encode(y=alt.Y("low:Q", scale=scale), y2="high:Q")
        dots = base.mark_point(size=65, filled=True, opacity=1).encode(y=alt.Y("value:Q", scale=scale), shape=look.shape(alt))
        return alt.layer(line, span, dots).properties(height=260)

    told = "; ".join(f"{row['model']}, {row[field]}: {row['value']:.1f} %" for row in rows)
    return picture(make, f"{alternative}. {told}.")


def shortcut_figure(data: ComparisonData, feature: str) -> Picture | None:
    """How much more often a model is right where the right reply has more of something."""
    look = look_of(data.models)
    rows = [
        {"model": row.model, "all": row.panel.gap.excludes_zero, **_ends(row.panel.gap)}
        for row in _whole(data)
        if row.panel.feature == feature and row.panel.gap.value is not None and row.model in look.names
    ]
    if not rows:
        return None
    more = {"length": "is the longer one", "format": "has more formatting", "position": "is listed first"}[feature]
    told = "; ".join(f"{row['model']} {row['value']:+.1f} points ({row['low']:+.1f} to {row['high']:+.1f})" for row in rows)
    title = f"accuracy gained where the right reply {more}, points"
    return forest(rows, "model", title, 0.0, f"How much more often each model is right where the right reply {more}. {told}.")


def reliability_figure(data: ComparisonData) -> Picture | None:
    """Stated confidence against how often the model is right, raw scores."""
    look = look_of(data.models, baselines=())
    found = [row for row in data.reliabilities if row.model in look.names]
    points = [point for row in found for point in _reliability_points(row)]
    if not points:
        return None
    look = look.only({row.model for row in found})

    def make(alt: Any, is_narrow: bool) -> Any:
        x = alt.X(
            "confidence:Q",
            scale=alt.Scale(domain=[50, 100]),
            title="stated confidence, %",
            axis=alt.Axis(grid=False, tickCount=5),
        )
        y = alt.Y("value:Q", scale=alt.Scale(domain=[0, 100]), title="right, %", axis=alt.Axis(tickCount=5))
        ideal = alt.Chart(alt.InlineData([{"confidence": 50, "value": 50}, {"confidence": 100, "value": 100}]))
        line = ideal.mark_line(strokeDash=[5, 4], color="currentColor", opacity=0.7).encode(x=x, y=y)
        base = alt.Chart(alt.InlineData(points)).encode(x=x, color=look.colour(alt, is_narrow))
        spans = base.mark_rule(strokeWidth=2).encode(y=alt.Y("low:Q", scale=alt.Scale(domain=[0, 100])), y2="high:Q")
        run = base.mark_line(strokeWidth=1.6, opacity=0.7).encode(y=y)
        dots = base.mark_point(size=60, filled=True, opacity=1).encode(y=y, shape=look.shape(alt))
        return alt.layer(line, run, spans, dots).properties(height=280)

    told = "; ".join(f"{row.model}: calibration error {100 * (row.raw.error.value or 0):.1f} %" for row in found)
    return picture(make, f"Reliability of sigmoid(margin), raw scores; the dashed line is perfect. {told}.")


def _reliability_points(row: ReliabilityRow) -> list[dict[str, Any]]:
    return [
        {"model": row.model, "confidence": 100 * part.confidence, **_ends(part.right)}
        for part in row.raw.bins
        if part.right.value is not None
    ]
