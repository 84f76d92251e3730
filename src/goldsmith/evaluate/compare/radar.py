"""The radar: one axis a benchmark, official score from 0 in the middle to 100 % at the rim."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, pi, sin
from typing import Any

from goldsmith.evaluate.compare.data import Benchmark, ComparisonData, Model
from goldsmith.evaluate.compare.look import Look, look_of
from goldsmith.evaluate.report.charts import Picture, picture

FEWEST_AXES = 3
"""Benchmarks below which there is no outline to draw."""
_RINGS = (25, 50, 75, 100)
_HEIGHT_PX, _WIDTH_PX = {False: 430, True: 180}, {False: 782, True: 312}
"""Of the plot in the wide and in the narrow form."""
_REACH, _NAMES_AT = 128.0, 111.0
"""Half of the plot's height, and where the names stand, in percent."""

Outline = tuple[Model, list[float | None]]
"""A model and its score on each axis, None where it has none."""


def radar(data: ComparisonData) -> Picture | None:
    """Return the picture; a model that lacks a benchmark has a gap there. None below three axes."""
    axes = [benchmark for benchmark in data.benchmarks if benchmark.is_core]
    look = look_of(data.models)
    outlines = [(model, _values(model, axes)) for model in data.models if model.name in look.names]
    shown = [(model, values) for model, values in outlines if sum(value is not None for value in values) >= FEWEST_AXES]
    if len(axes) < FEWEST_AXES or not shown:
        return None
    kept = look.only({model.name for model, _ in shown})
    angles = [pi / 2 - 2 * pi * place / len(axes) for place in range(len(axes))]
    told = "; ".join(f"{model.name}: {_told(axes, values)}" for model, values in shown)
    return picture(
        lambda alt, is_narrow: _chart(alt, is_narrow, axes, angles, shown, kept), f"Radar of official scores in percent. {told}."
    )


def _values(model: Model, axes: Sequence[Benchmark]) -> list[float | None]:
    return [model.scores[axis.id].headline.value if axis.id in model.scores else None for axis in axes]


def _told(axes: Sequence[Benchmark], values: Sequence[float | None]) -> str:
    return ", ".join(f"{axis.title} {100 * value:.1f}" for axis, value in zip(axes, values, strict=True) if value is not None)


def _chart(
    alt: Any, is_narrow: bool, axes: Sequence[Benchmark], angles: Sequence[float], shown: Sequence[Outline], look: Look
) -> Any:
    across = _REACH * _WIDTH_PX[is_narrow] / _HEIGHT_PX[is_narrow]
    x = alt.X("x:Q", scale=alt.Scale(domain=[-across, across]), axis=None)
    y = alt.Y("y:Q", scale=alt.Scale(domain=[-_REACH, _REACH]), axis=None)
    points = alt.Chart(alt.InlineData([point for model, values in shown for point in _corners(model.name, values, angles)]))
    lines = points.mark_line(strokeWidth=2.2).encode(x=x, y=y, detail="run:N", order="order:Q", color=look.colour(alt, is_narrow))
    dots = points.mark_point(size=55, filled=True, opacity=1).encode(
        x=x, y=y, color=look.colour(alt, is_narrow), shape=look.shape(alt)
    )
    web = [*_web(alt, angles, x, y), *_names(alt, is_narrow, axes, angles, x, y)]
    return alt.layer(*web, lines, dots).properties(height=_HEIGHT_PX[is_narrow])


def _web(alt: Any, angles: Sequence[float], x: Any, y: Any) -> list[Any]:
    """The rings, the spokes and the rings' numbers."""
    rings = [
        {"ring": ring, "order": place, "x": ring * cos(angle), "y": ring * sin(angle)}
        for ring in _RINGS
        for place, angle in enumerate([*angles, angles[0]])
    ]
    spokes = [{"x": 0.0, "y": 0.0, "x2": 100 * cos(angle), "y2": 100 * sin(angle)} for angle in angles]
    ticks = [{"x": 3.0, "y": float(ring), "name": str(ring)} for ring in _RINGS]
    grey = {"color": "#888888", "opacity": 0.35}
    return [
        alt.Chart(alt.InlineData(rings)).mark_line(strokeWidth=1, **grey).encode(x=x, y=y, detail="ring:N", order="order:Q"),
        alt.Chart(alt.InlineData(spokes)).mark_rule(**grey).encode(x=x, y=y, x2="x2:Q", y2="y2:Q"),
        alt.Chart(alt.InlineData(ticks))
        .mark_text(fontSize=10, align="left", opacity=0.7, color="currentColor")
        .encode(x=x, y=y, text="name:N"),
    ]


def _names(alt: Any, is_narrow: bool, axes: Sequence[Benchmark], angles: Sequence[float], x: Any, y: Any) -> list[Any]:
    """The benchmarks' names around the rim, each reading away from it."""
    names = [
        {"x": _NAMES_AT * cos(angle), "y": _NAMES_AT * sin(angle), "name": axis.title, "side": _side(angle)}
        for axis, angle in zip(axes, angles, strict=True)
    ]
    return [
        alt.Chart(alt.InlineData([name for name in names if name["side"] == side]))
        .mark_text(align=side, fontSize=11 if is_narrow else 13, color="currentColor")
        .encode(x=x, y=y, text="name:N")
        for side in dict.fromkeys(name["side"] for name in names)
    ]


def _side(angle: float) -> str:
    return "center" if abs(cos(angle)) < 0.2 else "left" if cos(angle) > 0 else "right"


def _corners(model: str, values: Sequence[float | None], angles: Sequence[float]) -> list[dict[str, Any]]:
    """Return the corners of a model's outline; it is broken where a benchmark is absent."""
    points, run = [], 0
    for place, value in enumerate([*values, values[0]]):
        if value is None:
            run += 1
            continue
        angle, radius = angles[place % len(angles)], 100 * max(0.0, value)
        points.append(
            {"model": model, "run": f"{model}/{run}", "order": place, "x": radius * cos(angle), "y": radius * sin(angle)}
        )
    return points
