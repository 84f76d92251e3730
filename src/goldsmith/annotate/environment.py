"""The Jinja2 environment of the annotation room: templates, both languages, and the ways to print a figure."""

from __future__ import annotations

import json
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from goldsmith.evaluate.report.text import clean

LANGUAGES = ("en", "zh")
_HERE = Path(__file__).parent
_NONE = "–"


@cache
def environment() -> Any:
    """Return the environment; a template finds its page in `page`, a sentence by `t("key", name=value)`."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context

    found = Environment(
        loader=FileSystemLoader(_HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        finalize=lambda value: clean(value) if type(value) is str else value,
    )  # fmt: skip
    found.globals["t"] = pass_context(_translate)
    found.globals["has_text"] = lambda key: key in messages("en")
    found.globals["script_messages"] = script_messages
    found.filters.update(figure=_figure, percent=_percent, points=_points, alpha=_alpha, duration=_duration, moment=_moment)
    return found


@cache
def messages(lang: str) -> dict[str, str]:
    """Return the sentences of one language by key; a language that is not there is English."""
    name = lang if lang in LANGUAGES else "en"
    found: dict[str, str] = json.loads((_HERE / "messages" / f"{name}.json").read_text(encoding="utf-8"))
    return found


def translate(lang: str, key: str, **values: Any) -> str:
    """Return the sentence of `key` with its `{name}` places filled.

    Raises:
        KeyError: no such sentence; every key is tested to stand in both languages.
    """
    return messages(lang)[key].format(**values)


def script_messages(lang: str) -> str:
    """Return as JSON the sentences that the page's script says: those whose key starts with `js.`, without that."""
    return json.dumps({key[3:]: text for key, text in messages(lang).items() if key.startswith("js.")}, ensure_ascii=False)


def _translate(context: Any, key: str, **values: Any) -> str:
    return translate(context["page"]["lang"], key, **values)


def _figure(value: float | None, digits: int = 0) -> str:
    """Return a number with thousands marked."""
    return _NONE if value is None else f"{value:,.{digits}f}"


def _percent(share: float | None) -> str:
    return _NONE if share is None else f"{100 * share:.0f} %"


def _points(difference: float | None) -> str:
    """Return a difference of shares in percentage points, with its sign."""
    if difference is None:
        return _NONE
    text = f"{100 * difference:+.0f}"
    return "0" if text in ("+0", "-0") else text.replace("-", "−")


def _alpha(value: float | None) -> str:
    """Return an agreement with a true minus sign, to three digits."""
    return _NONE if value is None else f"{value:.3f}".replace("-", "−")


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return _NONE
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


def _moment(value: str | None) -> str:
    """Return an ISO time as `2026-11-22 16:52`, UTC; what is not a time as it is."""
    if not value:
        return _NONE
    try:
        return f"{datetime.fromisoformat(value):%Y-%m-%d %H:%M}"
    except ValueError:
        return value
