"""The pictures of the lead's page: static SVG, drawn by Altair in the look of the report."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

from goldsmith.annotate.environment import translate
from goldsmith.evaluate.report.charts import BLUE, GREY, ORANGE, PURPLE, SKY, rows_height, svg

MOST_TASKS = MOST_BATCHES = MOST_PEOPLE = 30
"""Rows of a picture; the table beside it has all."""


def draw(name: str, data: dict[str, Any], *, lang: str, is_narrow: bool) -> str:
    """Return one picture as SVG.

    Args:
        name: one of `NAMES`.
        data: the data of the lead's page.
        lang: `en` or `zh`.
        is_narrow: for screens below 640 px.

    Raises:
        KeyError: no such picture.
    """
    fields = _DRAWN[name][1]
    return _kept(name, lang, is_narrow, json.dumps({field: data[field] for field in fields}, sort_keys=True))


@lru_cache(maxsize=24)
def _kept(name: str, lang: str, is_narrow: bool, data: str) -> str:
    """Return the picture of equal figures without drawing it again."""
    return svg(partial(_DRAWN[name][0], json.loads(data), lang), is_narrow)


def _throughput(data: dict[str, Any], lang: str, altair: Any, _is_narrow: bool) -> Any:
    votes, gold = translate(lang, "lead.votes"), translate(lang, "lead.gold")
    rows = [
        {"day": day["day"], "kind": kind, "count": day[field]}
        for day in data["throughput"]
        for kind, field in ((votes, "votes"), (gold, "gold"))
    ]
    return (
        altair.Chart(altair.Data(values=rows))
        .mark_bar()
        .encode(
            x=_days(altair, data["throughput"]),
            y=altair.Y("count:Q", title=None, stack=None, axis=altair.Axis(tickMinStep=1, tickCount=5)),
            color=altair.Color("kind:N", scale=altair.Scale(domain=[votes, gold], range=[SKY, ORANGE])),
        )
        .properties(height=220)
    )


def _days(altair: Any, rows: list[dict[str, Any]]) -> Any:
    """Return the axis of days: each labelled once, at most about eight of them."""
    days = sorted({row["day"] for row in rows})
    shown = days[:: max(1, -(-len(days) // 8))]
    axis = altair.Axis(
        labelExpr="slice(datum.label, 8, 10) + '.' + slice(datum.label, 5, 7) + '.'", labelAngle=0, values=shown, grid=False
    )
    return altair.X("day:O", title=None, sort=days, axis=axis)


def _alpha(data: dict[str, Any], _lang: str, altair: Any, _is_narrow: bool) -> Any:
    rows = [day for day in data["alpha_over_time"] if day["alpha"] is not None]
    least = data["min_alpha"]
    low = min([least, *(day["low"] for day in rows if day["low"] is not None)])
    x = _days(altair, rows)
    scale = altair.Scale(domain=[max(-1.0, low - 0.05), 1.0], nice=False, clamp=True)
    base = altair.Chart(altair.Data(values=rows))
    band = base.mark_area(opacity=0.22, color=BLUE).encode(x=x, y=altair.Y("low:Q", title=None, scale=scale), y2="high:Q")
    line = base.mark_line(color=BLUE, strokeWidth=2, point={"color": BLUE, "size": 30}).encode(
        x=x, y=altair.Y("alpha:Q", title=None, scale=scale)
    )
    rule = (
        altair.Chart(altair.Data(values=[{"least": least}]))
        .mark_rule(strokeDash=[5, 4], color=GREY, strokeWidth=1.5)
        .encode(y="least:Q")
    )
    return altair.layer(band, line, rule).properties(height=220)


def _coverage(data: dict[str, Any], lang: str, altair: Any, _is_narrow: bool) -> Any:
    gold, rest, still = (translate(lang, f"lead.{kind}") for kind in ("gold", "discarded", "open"))
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for cell in data["coverage"]:
        for place, count in enumerate((cell["gold"], cell["settled"] - cell["gold"], cell["pairs"] - cell["settled"])):
            sums[cell["task"] or "–"][place] += count
    tasks = sorted(sums, key=lambda task: (-sum(sums[task]), task))[:MOST_TASKS]
    return _stacked(altair, {task: sums[task] for task in tasks}, {gold: ORANGE, rest: SKY, still: GREY})


def _progress(data: dict[str, Any], lang: str, altair: Any, _is_narrow: bool) -> Any:
    kinds = {"gold": ORANGE, "discarded": SKY, "disputed": PURPLE, "open": GREY}
    names = {"disputed": translate(lang, "lead.disputes")}
    rows = {batch["batch"]: [batch[kind] for kind in kinds] for batch in data["batches"][-MOST_BATCHES:]}
    return _stacked(altair, rows, {names.get(kind) or translate(lang, f"lead.{kind}"): colour for kind, colour in kinds.items()})


def _stacked(altair: Any, counts: dict[str, list[int]], colours: dict[str, str]) -> Any:
    """Return one bar for each name, in this order, its counts in these colours."""
    kinds, names = list(colours), list(counts)
    rows = [
        {"name": name, "kind": kind, "order": place, "count": counts[name][place]}
        for name in names
        for place, kind in enumerate(kinds)
    ]
    return (
        altair.Chart(altair.Data(values=rows))
        .mark_bar()
        .encode(
            y=altair.Y("name:N", title=None, sort=names, axis=altair.Axis(grid=False)),
            x=altair.X("count:Q", title=None, axis=altair.Axis(tickMinStep=1, tickCount=6)),
            color=altair.Color("kind:N", scale=altair.Scale(domain=kinds, range=list(colours.values())), sort=kinds),
            order="order:O",
        )
        .properties(height=rows_height(len(names), 24))
    )


def _annotators(data: dict[str, Any], lang: str, altair: Any, _is_narrow: bool) -> Any:
    kinds = {"agreement": "annotators.agreement", "check_accuracy": "annotators.checks"}
    people = data["annotators"][:MOST_PEOPLE]
    rows = [
        {"name": person["name"], "kind": translate(lang, key), "share": person[field]}
        for person in people
        for field, key in kinds.items()
        if person[field] is not None
    ]
    names = [translate(lang, key) for key in kinds.values()]
    return (
        altair.Chart(altair.Data(values=rows))
        .mark_point(filled=True, size=90, opacity=1)
        .encode(
            y=altair.Y("name:N", title=None, sort=list(dict.fromkeys(row["name"] for row in rows))),
            x=altair.X("share:Q", title=None, scale=altair.Scale(domain=[0, 1]), axis=altair.Axis(format="%", tickCount=6)),
            color=altair.Color("kind:N", scale=altair.Scale(domain=names, range=[BLUE, ORANGE])),
            shape=altair.Shape("kind:N", scale=altair.Scale(domain=names, range=["circle", "diamond"])),
        )
        .properties(height=rows_height(len({row["name"] for row in rows}), 24))
    )


_DRAWN: dict[str, tuple[Callable[..., Any], tuple[str, ...]]] = {
    "throughput": (_throughput, ("throughput",)),
    "alpha": (_alpha, ("alpha_over_time", "min_alpha")),
    "coverage": (_coverage, ("coverage",)),
    "progress": (_progress, ("batches",)),
    "annotators": (_annotators, ("annotators",)),
}
NAMES = tuple(_DRAWN)
