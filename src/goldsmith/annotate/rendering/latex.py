"""LaTeX to MathML: latex2mathml reads, this module writes.

The library's own output is not used: it unescapes everything, so that `$<script>$` becomes an element. Its element tree
is walked instead; text is escaped, lengths are held within bounds, colours and styles, which can hide text, are dropped.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from functools import lru_cache
from html import escape
from typing import Any

from latex2mathml import exceptions

from goldsmith.annotate.rendering.budget import Budget
from goldsmith.annotate.rendering.sanitise import MATH_ATTRIBUTES, MATH_TAGS

MAX_DEPTH = 24
"""Braces, environments and scripts within one another."""
_STEPS_PER_FORMULA, _STEPS_PER_CHAR = 100, 8
_LENGTHS = {"width", "height", "depth", "lspace", "rspace", "voffset", "minsize", "maxsize", "linethickness"}
_MAX_EM = 8.0
_PER_EM = {"em": 1.0, "ex": 2.3, "px": 16.0, "pt": 12.0, "mu": 18.0, "cm": 0.42, "mm": 4.2, "in": 0.17, "pc": 1.0, "": 1.0}
_LENGTH = re.compile(r"([+-]?)(\d{1,6}(?:\.\d{1,6})?|\.\d{1,6})(em|ex|px|pt|mu|cm|mm|in|pc|)")
_ENTITY = re.compile(r"&#x([0-9A-Fa-f]{1,6});")
_REFUSED = re.compile(
    r"\\(?:def|newcommand|renewcommand|newenvironment|DeclareMathOperator|let|gdef|edef|unicode|href)(?![a-zA-Z])"
)
"""Macros can grow without bound; the others name what the page should not take from a reply."""

_ENVIRONMENT = re.compile(
    r"\\(begin|end)\{(aligned|alignedat|alignat\*?|flalign\*?|eqnarray\*?|gathered|gather\*?|multline\*?|equation\*?)\}(?:\{\d+\})?"
)
_READ_AS = {"aligned": "align*", "flalign": "align*", "eqnarray": "align*", "alignedat": "align*", "alignat": "align*"}
"""Environments that the library does not know, and the one that shows the same; `equation` is what a formula is anyway, the others centre their lines."""
_SAYS_NOTHING = re.compile(r"\\(?:nonumber|notag|hfill|displaylimits)(?![a-zA-Z])|\\(?:label|require)\{[^{}]*\}")


def _refusals() -> tuple[type[Exception], ...]:
    return tuple(kind for kind in vars(exceptions).values() if isinstance(kind, type) and issubclass(kind, Exception))


LOG = logging.getLogger("goldsmith.annotate")
UNREAD: Counter[str] = Counter()
"""Formulas whose source is shown since the library could not read them, by the error's name; formulas that repeat are counted once."""
STUMBLES: tuple[type[Exception], ...] = (
    *_refusals(),
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    AssertionError,
    ArithmeticError,
    StopIteration,
    RecursionError,
)
"""What the library says of a formula that is not one, and what its own steps trip over."""


def to_mathml(latex: str, budget: Budget, *, is_display: bool) -> str | None:
    """Return a formula as MathML, or None when it cannot be read or is too deep; the caller then shows its source.

    Args:
        latex: the formula without its delimiters.
        budget: pays for each character read.
        is_display: a formula on a line of its own.

    Raises:
        TooCostlyError: the budget is spent.
    """
    budget.spend(_STEPS_PER_FORMULA + _STEPS_PER_CHAR * len(latex))
    return _convert(latex, is_display)


@lru_cache(maxsize=4096)
def _convert(latex: str, is_display: bool) -> str | None:
    """Return what `to_mathml` returns; replies repeat their small formulas many times."""
    if not latex or _REFUSED.search(latex) or _depth(latex) > MAX_DEPTH:
        return None
    try:
        from latex2mathml.converter import Converter

        tree = Converter(display="block" if is_display else "inline").convert_to_element(_readable(latex))
    except STUMBLES as error:
        UNREAD[type(error).__name__] += 1
        if not type(error).__module__.startswith("latex2mathml"):
            LOG.warning(
                "a formula of %d characters could not be read (%s); its source is shown", len(latex), type(error).__name__
            )
        return None
    inner = "".join(map(_write, tree))
    display = ' display="block"' if is_display else ""
    return f'<math{display} alttext="{escape(latex)}">{inner}</math>'


def _readable(latex: str) -> str:
    """Return the formula in words that the library knows."""
    return _ENVIRONMENT.sub(_environment, _SAYS_NOTHING.sub(" ", latex))


def _environment(match: re.Match[str]) -> str:
    name = match[2].rstrip("*")
    if name == "equation":
        return " "
    return f"\\{match[1]}{{{_READ_AS.get(name, 'matrix')}}}"


def _depth(latex: str) -> int:
    """Return how many braces, environments and delimiters stand within one another, scripts without braces included."""
    deepest = depth = 0
    scripts = 0
    for match in re.finditer(r"\\\\|\\[{}]|\\begin|\\end|\\left(?![a-z])|\\right(?![a-z])|[{}]|[\^_]|\\[a-zA-Z]+|\s+|.", latex):
        token = match[0]
        if token in ("{", "\\begin", "\\left"):
            depth += 1
        elif token in ("}", "\\end", "\\right"):
            depth -= 1
        scripts = (
            scripts + 1 if token in ("^", "_") or (token[0] == "\\" and len(token) > 2) else (scripts if token.isspace() else 0)
        )
        deepest = max(deepest, depth + scripts)
    return deepest


def _write(element: Any) -> str:
    inner = escape(_ENTITY.sub(_character, element.text or ""), quote=False)
    inner += "".join(map(_write, element))
    tag = element.tag
    if tag not in MATH_TAGS:
        return f"<mrow>{inner}</mrow>"
    attributes = "".join(f' {name}="{escape(value)}"' for name, value in _attributes(element))
    return f"<{tag}{attributes}>{inner}</{tag}>"


def _attributes(element: Any) -> list[tuple[str, str]]:
    kept = []
    for name, value in element.attrib.items():
        if name not in MATH_ATTRIBUTES or len(value) > 200:
            continue
        bounded = _bounded(value) if name in _LENGTHS else value
        if bounded is not None:
            kept.append((name, bounded))
    return kept


def _bounded(length: str) -> str | None:
    """Return a length of at most `_MAX_EM` either way; None when it is not a length."""
    match = _LENGTH.fullmatch(length.strip())
    if match is None:
        return None
    ems = float(match[2]) / _PER_EM[match[3]]
    return length.strip() if ems <= _MAX_EM else f"{match[1]}{_MAX_EM}em"


def _character(match: re.Match[str]) -> str:
    point = int(match[1], 16)
    return chr(point) if 0x20 <= point <= 0x10FFFF and not 0xD800 <= point <= 0xDFFF else "\ufffd"
