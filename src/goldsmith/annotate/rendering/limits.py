"""How large and how deep a text may be and still be formatted; beyond, it is shown raw.

Parsers of Markdown have inputs on which their time grows with the square of the length; these bounds, measured with
such inputs, keep any text within a fraction of a second.
"""

from __future__ import annotations

import re
from typing import Literal

MAX_CHARS = 40_000
"""Longest text that is formatted; few replies of chat models have half of it."""
MAX_LINE_CHARS = 12_000
MAX_RAW_CHARS = 400_000
"""What is shown of a text at all; the rest is counted."""
MAX_HTML_CHARS = 1_500_000
MAX_NESTING = 24
"""Quotes, lists and brackets within one another."""

_DEEP_PREFIX = re.compile(rf"^[ \t]*(?:(?:>|[-*+]|\d{{1,9}}[.)])[ \t]*){{{MAX_NESTING},}}", re.MULTILINE)
_DEEP_RUN = re.compile(r"(?:!?\[[^\[\]\n]{0,3}){24,}|(?:[*_]{1,3}[^\s*_]{1,3}){200,}")


def too_much(text: str) -> Literal["too-long", "too-deep"] | None:
    """Return why a text is not formatted, or None when it can be."""
    if len(text) > MAX_CHARS or max(map(len, text.split("\n"))) > MAX_LINE_CHARS:
        return "too-long"
    if _DEEP_RUN.search(text) or _has_deep_prefix(text):
        return "too-deep"
    return None


def _has_deep_prefix(text: str) -> bool:
    """Return whether a line opens too many quotes or lists at once; a rule of dashes or stars is none."""
    return any(set(match[0]) - set(" \t-*") or " " in match[0].strip() for match in _DEEP_PREFIX.finditer(text))
