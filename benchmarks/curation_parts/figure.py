"""The experiment's figures as SVG: recovered share by arm, and precision against recall of keeping and flipping."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from goldsmith.evaluate.report.charts import rows_height
from goldsmith.store import atomic

ROW_PX = 22


def write_figures(summary: dict[str, Any], folder: Path) -> list[Path]:
    """Write the figures that the summary has figures for, and return their files."""
    made = {"recovered.svg": _shares(summary), "decisions.svg": _curves(summary)}
    written = []
    for name, text in made.items():
        if text is not None:
            atomic.write_text(folder / name, text)
            written.append(folder / name)
    return written


def _shares(summary: dict[str, Any]) -> str | None:
    """Only settings whose noise costs as much as the test can show: elsewhere the share divides by next to nothing."""
    rows = [
        {"setting": _short(setting), "arm": arm, **{key: one["share"][key] for key in ("value", "low", "high")}}
        for setting, found in summary.items()
        if _is_shown(found["power"]["held-out prompts"])
        for arm, one in found["arms"].items()
        if one["share"] and arm not in ("raw", "clean")
    ]
    if not rows:
        return None
    order = list(dict.fromkeys(row["arm"] for row in rows))

    def make(alt: Any, _is_narrow: bool) -> Any:
        base = alt.Chart(alt.Data(values=rows)).encode(y=alt.Y("arm:N", sort=order, title=None))
        share = alt.X(
            "value:Q", title="recovered share (0: raw labels, 1: clean ones)", scale=alt.Scale(domain=[-0.5, 1.5], clamp=True)
        )
        rule = base.mark_rule(color="#8888aa").encode(x=share, x2="high:Q").transform_calculate(value="datum.low")
        dots = base.mark_circle(size=60, color="#2f6fde").encode(x=share)
        return (
            alt.layer(rule, dots)
            .properties(height=rows_height(len(order), ROW_PX))
            .facet(facet=alt.Facet("setting:N", title=None), columns=2)
            .resolve_axis(x="independent")
        )

    return _drawn(make)


def _curves(summary: dict[str, Any]) -> str | None:
    rows = [
        {"setting": _short(setting), "what": what, "precision": point[f"{what}_precision"], "recall": point[f"{what}_recall"]}
        for setting, found in summary.items()
        for point in (found["arms"].get("joint, soft") or {}).get("curve") or []
        for what in ("keep", "flip")
        if point[f"{what}_precision"] is not None
    ]
    if not rows:
        return None

    def make(alt: Any, _is_narrow: bool) -> Any:
        chart = alt.Chart(alt.Data(values=rows)).mark_line(point=True)
        encoded = chart.encode(
            x=alt.X("recall:Q", title="recall", scale=alt.Scale(domain=[0, 1])),
            y=alt.Y("precision:Q", title="precision", scale=alt.Scale(domain=[0.5, 1], clamp=True)),
            color=alt.Color("what:N", title=None),
        )
        panels = encoded.properties(height=180).facet(facet=alt.Facet("setting:N", title=None), columns=2)
        return panels.resolve_axis(x="independent", y="independent")

    return _drawn(make)


def _is_shown(power: dict[str, float]) -> bool:
    return power["to_recover"] >= power["detectable"]


def _drawn(make: Any) -> str:
    import altair
    import vl_convert

    spec = make(altair, False).to_dict()
    spec["config"] = {"view": {"stroke": None, "continuousWidth": 300}}
    return str(vl_convert.vegalite_to_svg(spec))


def _short(setting: str) -> str:
    """The noise and people's share; the rest stands in the text."""
    parts = setting.split(", ")
    return f"{parts[0]}, {parts[-1]}"
