"""One self-contained page from the data: no script, no request, every foreign character escaped.

Jinja2 escapes all output (autoescape); before that, `clean` makes visible whatever would reorder or hide text.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from goldsmith.evaluate.report import figures, shapes
from goldsmith.evaluate.report import text as say
from goldsmith.evaluate.report.advice import missing_stages
from goldsmith.evaluate.report.charts import Picture
from goldsmith.evaluate.report.data import ACTIONS, ReportData
from goldsmith.evaluate.report.opinions import VOICES
from goldsmith.evaluate.report.words import write_words
from goldsmith.store import atomic

HTML_NAME, JSON_NAME = "report.html", "report.json"
_HERE = Path(__file__).parent
_UNIT = re.compile(r"([0-9]) (%|points?\b|pairs?\b|prompts?\b)")
"""A number and its unit, which no line break should part."""


def write_report(data: ReportData, out_dir: Path) -> Path:
    """Write `report.html` and `report.json` into `out_dir`, each whole or not at all, and return the page's path.

    Raises:
        StoreError: the disk is full or the folder cannot be written.
    """
    full = data if data.words else data.model_copy(update={"words": write_words(data)})
    page = render(full)
    atomic.write_json(out_dir / JSON_NAME, full.model_dump(mode="json"))
    atomic.write_text(out_dir / HTML_NAME, page)
    return out_dir / HTML_NAME


def render(data: ReportData) -> str:
    """Return the page as HTML."""
    words = data.words or write_words(data)
    template = environment().get_template("template.html")
    page: str = template.render(
        data=data,
        words=[paragraph for paragraph in words if paragraph.tone != "next"],
        advice=[paragraph for paragraph in words if paragraph.tone == "next"],
        figures=_pictures(data),
        tiles=_tiles(data),
        missing=missing_stages(data),
        config=json.dumps(data.config, ensure_ascii=False, indent=2, sort_keys=False),
        style=style() + (_HERE / "map.css").read_text(encoding="utf-8"),
        map_actions=[action for action in ACTIONS if data.pool_map and data.pool_map.by_action.get(action)],
        created=readable(data.created),
    )
    return page


def environment(*folders: Path) -> Any:
    """Return the Jinja2 environment with our formats as filters: this room's templates, and those of further folders before them."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader([*folders, _HERE]), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        finalize=lambda value: say.clean(value) if type(value) is str else value,
    )  # fmt: skip
    for function in (
        say.percent, say.points, say.span, say.span_points, say.alpha_span, say.decimal, say.count, say.duration, say.share_of,
        say.plural, figures.model_title, _tone_title, _prose, readable,
    ):  # fmt: skip
        made.filters[function.__name__.lstrip("_")] = function
    made.globals |= {"action_titles": figures.ACTION_TITLES, "voices": VOICES}
    return made


def style() -> str:
    """Return the style sheet of every page."""
    return (_HERE / "style.css").read_text(encoding="utf-8")


def _pictures(data: ReportData) -> dict[str, Picture | None]:
    """Draw every picture there is data for."""
    margins = data.margins
    return {
        "accuracy": figures.accuracy_figure(data.final),
        "difference": figures.difference_figure(data.final),
        "funnel": figures.funnel_figure(data.funnel),
        "coverage": figures.coverage_figure(data.coverage),
        "agreement": figures.agreement_figure(data.gold),
        "judges": figures.judges_figure(data.judges),
        "rounds": figures.rounds_figure(data.rounds, data.best_round),
        "silver": figures.silver_figure(data.rounds),
        "gold_margins": shapes.histogram_figure(margins.gold if margins else None, "gold pairs"),
        "pool_margins": shapes.histogram_figure(margins.pool, "pool pairs", margins.curated) if margins else None,
        "curated_margins": figures.curated_margins_figure(margins),
        "decisions": figures.decisions_figure(data.stage2),
        "time": shapes.time_figure(data.cost.seconds),
    }


def _tiles(data: ReportData) -> list[tuple[str, str, str, str]]:
    """Return the key figures: (number, what it is, detail, anchor of the section)."""
    tiles = []
    if data.funnel:
        tiles.append((say.count(data.funnel[0].total), "pairs came in", f"{say.count(_pool_size(data))} in the pool", "funnel"))
    if data.gold is not None and data.gold.num_pairs:
        tiles.append((say.count(data.gold.num_pairs), "gold pairs", "judged by annotators" + _gold_note(data), "gold"))
    if data.stage2 is not None and data.stage2.by_action:
        decided = sum(num for action, num in data.stage2.by_action.items() if action != "drop")
        left = decided if data.stage2.num_curated is None else data.stage2.num_curated
        turned = data.stage2.by_action.get("flip", 0)
        tiles.append((say.count(left), "curated pairs", f"{say.count(turned)} turned round", "stage2"))
    if data.final is not None:
        curated, difference = data.final.pooled.get(data.final.main), data.final.pooled_difference
        if curated is not None and curated.value is not None:
            tiles.append((say.percent(curated.value), "right on held-out pairs", say.span(curated.low, curated.high), "final"))
        if difference is not None and difference.value is not None:
            interval = say.span_points(difference.low, difference.high)
            gain = say.points(difference.value).removesuffix(" points")
            tiles.append((gain, "points against the raw pool", interval, "final"))
    return tiles


def _pool_size(data: ReportData) -> int:
    named = [step.kept for step in data.funnel if step.name == "pool"]
    return named[0] if named else data.funnel[0].kept


def _gold_note(data: ReportData) -> str:
    return " (simulated)" if any("vote" in part.lower() or "annotator" in part.lower() for part in data.simulated) else ""


def _tone_title(tone: str) -> str:
    return {"alert": "Attention", "simulated": "Simulated", "result": "Result", "limit": "Limits"}.get(tone, "")


def _prose(text: str) -> Any:
    """Return cleaned, escaped text in which what stands between backticks is set as code."""
    from markupsafe import Markup, escape

    parts = [escape(part) for part in _UNIT.sub("\\1\u00a0\\2", say.clean(text)).split("`")]
    return Markup("").join(Markup("<code>{}</code>").format(part) if place % 2 else part for place, part in enumerate(parts))


def readable(created: str) -> str:
    """Return an ISO time as `22 November 2026, 10:48 UTC`; anything else as it is."""
    try:
        moment = datetime.fromisoformat(created)
    except ValueError:
        return created
    moment = moment.astimezone(UTC) if moment.tzinfo else moment
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"
