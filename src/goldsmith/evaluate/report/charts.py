"""The pictures: Altair specifications turned into static SVG by vl-convert, in a wide and a narrow form.

Colours are Okabe and Ito's, which people with any common colour blindness can tell apart; models differ in shape too.
Altair is imported when the first picture is drawn, so nothing else of Goldsmith waits for it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

BLUE, ORANGE, GREEN, RED, PURPLE, SKY, GREY, SLATE = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
    "#8A8F98",
    "#76818D",
)

WIDE_PX, NARROW_PX = 820, 350
"""Total width of the two forms; the page shows the narrow one on small screens."""

_FONT = "system-ui, -apple-system, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif"
_PADDING = {"left": 24, "right": 14, "top": 10, "bottom": 4}
"""Room for browsers whose font is wider than the one the drawing was measured with."""

_STYLE = (
    "<style>svg{color:#20262e}@media (prefers-color-scheme: dark){svg{color:#e4e7eb}}@media print{svg{color:#20262e}}</style>"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One chart in both forms, with the sentence that says the same to those who cannot see it."""

    wide: str
    """`data:` address of the SVG for screens of 640 px and more."""
    narrow: str
    """`data:` address of the SVG for smaller screens."""
    alt: str
    """Text alternative: what the chart shows, with its main numbers."""


def picture(make: Callable[[Any, bool], Any], alt: str) -> Picture:
    """Draw a chart twice.

    Args:
        make: gives the chart for (the altair module, whether it is the narrow form).
        alt: the text alternative.
    """
    import altair

    wide, narrow = (_address(_finish(make(altair, is_narrow), is_narrow)) for is_narrow in (False, True))
    return Picture(wide=wide, narrow=narrow, alt=alt)


def svg(make: Callable[[Any, bool], Any], is_narrow: bool) -> str:
    """Return one form of a chart as SVG that loads nothing; `make` is as for `picture`."""
    import altair

    return _svg(_finish(make(altair, is_narrow), is_narrow))


def rows_height(num_rows: int, row_px: int, least: int = 60) -> int:
    """Return a plot height that gives every row the same room."""
    return max(least, num_rows * row_px)


def ordered(values: Sequence[str]) -> list[str]:
    """Return the values without repetition, in their order."""
    return list(dict.fromkeys(values))


def _finish(chart: Any, is_narrow: bool) -> dict[str, Any]:
    """Return the specification with the house's look and a fixed total width."""
    size, label_limit = (11, 120) if is_narrow else (13, 230)
    axis = {
        "labelColor": "currentColor", "titleColor": "currentColor", "labelFontSize": size, "titleFontSize": size, "titleFontWeight": 500,
        "gridColor": "#88888833", "domainColor": "#88888866", "tickColor": "#88888866", "labelLimit": label_limit, "titlePadding": 8,
    }  # fmt: skip
    legend = {
        "labelColor": "currentColor", "titleColor": "currentColor", "labelFontSize": size, "titleFontSize": size, "orient": "top",
        "direction": "horizontal", "columns": 1 if is_narrow else 4, "columnPadding": 30, "labelLimit": 320, "title": None, "symbolSize": 90,
        "symbolStrokeWidth": 2,
    }  # fmt: skip
    spec: dict[str, Any] = chart.properties(
        width=NARROW_PX if is_narrow else WIDE_PX,
        autosize={"type": "fit-x", "contains": "padding"},
        padding=_PADDING,
        background="transparent",
    ).to_dict()
    spec["config"] = {"font": _FONT, "axis": axis, "legend": legend, "view": {"stroke": None}, "text": {"fontSize": size - 1}}
    return spec


def _address(spec: dict[str, Any]) -> str:
    """Return the drawn chart as a `data:` address; an image runs no script and loads nothing."""
    return "data:image/svg+xml;base64," + base64.b64encode(_svg(spec).encode("utf-8")).decode("ascii")


def _svg(spec: dict[str, Any]) -> str:
    import vl_convert

    drawn = vl_convert.vegalite_to_svg(spec, allowed_base_urls=[])
    return re.sub(r"(<svg[^>]*>)", lambda match: match[1] + _STYLE, drawn, count=1)
