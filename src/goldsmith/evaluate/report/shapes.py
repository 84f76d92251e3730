"""The few kinds of pictures all figures are made of: intervals, stacked bars, a histogram, plain bars."""

from __future__ import annotations

from typing import Any

from goldsmith.evaluate.report import text as say
from goldsmith.evaluate.report.charts import BLUE, GREEN, ORANGE, SLATE, Picture, picture, rows_height
from goldsmith.evaluate.report.data import Histogram

_SERIES_COLOURS = {
    "right": BLUE,
    "wrong": ORANGE,
    "left alone": BLUE,
    "reversed on purpose": ORANGE,
    "kept": BLUE,
    "relabelled": GREEN,
    "turned round": ORANGE,
}


def number_axis(alt: Any, most: float, is_narrow: bool) -> Any:
    """Return an axis of counts: written out while they are short, with M and G from a million."""
    return alt.Axis(format="~s" if most >= 1_000_000 else ",d", tickCount=4 if is_narrow else 7, tickMinStep=1)


def marked_line(alt: Any, value: float) -> Any:
    """Return the dashed vertical line at the value that matters."""
    return (
        alt.Chart(alt.InlineData([{"at": value}]))
        .mark_rule(strokeDash=[5, 4], color="currentColor", opacity=0.75)
        .encode(x="at:Q")
    )


def forest(rows: list[dict[str, Any]], label: str, title: str, line: float, alternative: str) -> Picture:
    """Points with intervals, one row each, and a dashed line at the value that matters.

    Args:
        rows: `label`, value, low, high, and `all`: whether the row stands out.
        label: the field with the row's name.
        title: title of the axis.
        line: where the dashed line stands, in the axis' unit.
        alternative: the text alternative.
    """

    def make(alt: Any, is_narrow: bool) -> Any:
        base = alt.Chart(alt.InlineData(rows)).encode(
            y=alt.Y(f"{label}:N", sort=[row[label] for row in rows], title=None, axis=alt.Axis(grid=False)),
            color=alt.condition("datum.all", alt.value(BLUE), alt.value(SLATE)),
        )
        axis = alt.Axis(tickCount=5 if is_narrow else 9)
        scale = alt.Scale(zero=False, nice=True)
        bars = base.mark_rule(strokeWidth=3).encode(x=alt.X("low:Q", scale=scale, title=title, axis=axis), x2="high:Q")
        dots = base.mark_point(size=110, filled=True, opacity=1).encode(x=alt.X("value:Q", scale=scale))
        return (marked_line(alt, line) + bars + dots).properties(height=rows_height(len(rows), 34))

    return picture(make, alternative)


def stacked(
    rows: list[dict[str, Any]],
    label: str,
    labels: list[str],
    part: str,
    parts: list[str],
    colours: list[str],
    title: str,
    alternative: str,
    with_totals: bool = False,
) -> Picture | None:
    """Horizontal bars, stacked by a part; rows hold `label`, `part`, `pairs` and `order`; the sum may stand at the end. None without rows."""
    if not rows:
        return None
    totals: dict[str, float] = {}
    for row in rows:
        totals[row[label]] = totals.get(row[label], 0) + row["pairs"]

    sums = [{label: name, "total": total, "text": f"{total:,}"} for name, total in totals.items()] if with_totals else []
    most = max(totals.values())

    def make(alt: Any, is_narrow: bool) -> Any:
        y = alt.Y(f"{label}:N", sort=labels, title=None, axis=alt.Axis(grid=False))
        bars = (
            alt.Chart(alt.InlineData(rows))
            .mark_bar(height=18)
            .encode(
                y=y,
                x=alt.X("sum(pairs):Q", title=title, axis=number_axis(alt, most, is_narrow)),
                color=alt.Color(f"{part}:N", scale=alt.Scale(domain=parts, range=colours)),
                order=alt.Order("order:Q"),
            )
        )
        ends = (
            alt.Chart(alt.InlineData(sums))
            .mark_text(align="left", dx=5, color="currentColor")
            .encode(y=y, x="total:Q", text="text:N")
        )
        return (bars + ends if sums else bars).properties(height=rows_height(len(labels), 30))

    return picture(make, alternative)


def histogram_figure(histogram: Histogram | None, title: str, beside: Histogram | None = None) -> Picture | None:
    """How sure the model is of the labels, by series.

    Args:
        histogram: the counts.
        title: what is counted.
        beside: another histogram that is compared with this one by eye; both get the same height for the same count.
    """
    if histogram is None or not histogram.total:
        return None
    names = list(histogram.series)
    rows = [
        {"start": low, "end": high, "series": name, "order": place, "pairs": num}
        for place, name in enumerate(names)
        for low, high, num in zip(histogram.edges, histogram.edges[1:], histogram.series[name], strict=False)
    ]
    shown = [histogram] if beside is None else [histogram, beside]
    most = max(sum(column) for one in shown for column in zip(*one.series.values(), strict=False))
    height = {} if beside is None else {"domain": [0, most]}

    def make(alt: Any, is_narrow: bool) -> Any:
        colours = alt.Scale(domain=names, range=[_SERIES_COLOURS.get(name, BLUE) for name in names])
        bars = (
            alt.Chart(alt.InlineData(rows))
            .mark_bar(binSpacing=1)
            .encode(
                x=alt.X(
                    "start:Q", bin="binned", title="p of the label", scale=alt.Scale(domain=[0, 1]),
                    axis=alt.Axis(values=[0, 0.25, 0.5, 0.75, 1], format=".2~f", grid=False),
                ),
                x2="end:Q",
                y=alt.Y("pairs:Q", stack="zero", title=title, scale=alt.Scale(**height), axis=number_axis(alt, most, True)),
                color=alt.Color("series:N", scale=colours, legend=alt.Legend() if len(names) > 1 else None),
                order=alt.Order("order:Q"),
            )
        )  # fmt: skip
        return (bars + marked_line(alt, 0.5)).properties(height=200)

    below = sum(
        num for counts in histogram.series.values() for low, num in zip(histogram.edges, counts, strict=False) if low < 0.5
    )
    totals = ", ".join(f"{name} {sum(counts):,}" for name, counts in histogram.series.items())
    return picture(
        make, f"Histogram of p, {title}: {histogram.total:,} ({totals}); {say.percent(below / histogram.total)} below 0.5."
    )


def time_figure(seconds: dict[str, float]) -> Picture | None:
    """Time by stage."""
    if not seconds:
        return None
    rows = [{"stage": stage, "seconds": value} for stage, value in seconds.items()]

    def make(alt: Any, is_narrow: bool) -> Any:
        return (
            alt.Chart(alt.InlineData(rows))
            .mark_bar(height=16, color=BLUE)
            .encode(
                y=alt.Y("stage:N", sort=list(seconds), title=None, axis=alt.Axis(grid=False)),
                x=alt.X("seconds:Q", title="seconds", axis=number_axis(alt, max(seconds.values()), is_narrow)),
            )
            .properties(height=rows_height(len(rows), 28))
        )

    return picture(
        make, "Time by stage. " + "; ".join(f"{stage}: {say.duration(value)}" for stage, value in seconds.items()) + "."
    )
