"""Numbers and foreign text, made fit to read: one way to print each, for the words and for the tables."""

from __future__ import annotations

import re
from collections.abc import Iterable

from goldsmith.evaluate.statistics import Estimate

NONE = "–"
"""Stands where there is no value."""

_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls, but tab and line feed
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # marks that reorder the text around them
    "\u2028\u2029\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"  # separators, invisible tags
    "\ud800-\udfff]"  # lone surrogates: no file can carry them
)


def clean(text: str) -> str:
    """Return `text` with characters that reorder or hide text made visible, as `[U+202E]`; carriage returns vanish."""
    return _UNSAFE.sub(lambda match: f"[U+{ord(match[0]):04X}]", text.replace("\r\n", "\n"))


def shorten(text: str, limit: int) -> str:
    """Return cleaned text of at most `limit` characters and an ellipsis, cut after a word where one ends nearby."""
    text = clean(text[: limit * 4]).strip()
    if len(text) <= limit:
        return text
    cut = text[:limit]
    space = cut.rfind(" ")
    return (cut[:space] if space > limit * 0.8 else cut).rstrip() + " …"


def percent(share: float | None, digits: int = 1) -> str:
    """Return a share in [0, 1] as `72.3 %`."""
    return NONE if share is None else f"{100 * share:.{digits}f} %"


def points(difference: float | None) -> str:
    """Return a difference of shares as `+1.2 points`."""
    return NONE if difference is None else f"{_signed(difference)} points"


def span(low: float | None, high: float | None) -> str:
    """Return an interval of shares as `70.1 to 74.4 %`."""
    return NONE if low is None or high is None else f"{100 * low:.1f} to {100 * high:.1f} %"


def span_points(low: float | None, high: float | None) -> str:
    """Return an interval of differences as `-0.4 to +2.9`."""
    return NONE if low is None or high is None else f"{_signed(low)} to {_signed(high)}"


def alpha_span(low: float | None, high: float | None) -> str:
    """Return an interval of Krippendorff's alpha as `0.843 to 0.886`."""
    return NONE if low is None or high is None else f"{decimal(low)} to {decimal(high)}"


def decimal(number: float | None, digits: int = 3) -> str:
    """Return a number with fixed digits and a real minus sign."""
    return NONE if number is None else f"{number:.{digits}f}".replace("-", "−")


def count(number: float | None) -> str:
    """Return a count as `12,345`."""
    if number is None:
        return NONE
    return f"{number:,.0f}" if float(number).is_integer() else f"{number:,.2f}"


def plural(number: int, noun: str) -> str:
    """Return `1 pair` or `12 pairs`."""
    return f"{count(number)} {noun}" if number == 1 else f"{count(number)} {noun}s"


def duration(seconds: float | None) -> str:
    """Return seconds as `4.2 s`, `3 min 20 s` or `2 h 05 min`."""
    if seconds is None:
        return NONE
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"
    return f"{int(seconds) // 3600} h {int(seconds) % 3600 // 60:02d} min"


def share_of(estimate: Estimate | None) -> str:
    """Return `72.3 % (70.1 to 74.4 %)`."""
    if estimate is None or estimate.value is None:
        return NONE
    return (
        f"{percent(estimate.value)} ({span(estimate.low, estimate.high)})"
        if estimate.low is not None
        else percent(estimate.value)
    )


def enumerate_words(items: Iterable[str]) -> str:
    """Return `x`, `x and y` or `x, y and z`."""
    names = list(items)
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + f" and {names[-1]}" if names else ""


def _signed(difference: float) -> str:
    number = f"{100 * difference:+.1f}"
    return "0.0" if number in ("+0.0", "-0.0") else number.replace("-", "−")
