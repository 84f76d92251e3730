r"""Markdown's formulas: `$…$`, `$$…$$`, `\(…\)`, `\[…\]` and `\begin{align}…`, found with a bounded look-ahead.

The look-ahead is why the published plugins are not used: a formula that is opened again and again and never closed
costs them time with the square of the text.
"""

from __future__ import annotations

import re
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline

MAX_CHARS = 3_000
"""Longest formula."""
MAX_LINES = 80
_INLINE = (("$$", "$$", True), ("$", "$", False), ("\\(", "\\)", False), ("\\[", "\\]", True))
_BLOCK = (("$$", "$$"), ("\\[", "\\]"))
_ENVIRONMENT = re.compile(
    r"\\begin\{((?:equation|align|aligned|gather|multline|eqnarray|alignat|[pbBvV]?matrix|cases|array)\*?)\}"
)


def formulas_plugin(parser: MarkdownIt) -> None:
    """Add the rules; the tokens are `formula` (in a line) and `formula_block`, with the LaTeX as content."""
    parser.inline.ruler.before("escape", "formula", _inline)
    parser.block.ruler.before("fence", "formula_block", _block, {"alt": ["paragraph", "reference", "blockquote", "list"]})


def _inline(state: StateInline, silent: bool) -> bool:
    start = state.pos
    if state.src[start] not in "$\\":
        return False
    for opening, closing, is_display in _INLINE:
        if not state.src.startswith(opening, start):
            continue
        inside = start + len(opening)
        end = _closed(state.src, closing, inside, min(state.posMax, inside + MAX_CHARS))
        if end <= inside or not _is_formula(state.src, start, inside, end, opening):
            return False
        if not silent:
            token = state.push("formula", "math", 0)
            token.content, token.markup = state.src[inside:end].strip(), "block" if is_display else "inline"
        state.pos = end + len(closing)
        return True
    return False


def _closed(text: str, closing: str, start: int, stop: int) -> int:
    """Return where a formula ends, passing over dollars that a backslash makes plain; -1 when it does not end."""
    end = text.find(closing, start, stop)
    while end > 0 and closing[0] == "$" and text[end - 1] == "\\":
        end = text.find(closing, end + 1, stop)
    return end


def _is_formula(text: str, start: int, inside: int, end: int, opening: str) -> bool:
    """Return whether single dollars enclose a formula rather than amounts of money: no inner spaces, no digit after."""
    if text[inside:end].isspace() or "\n\n" in text[inside:end]:
        return False
    if opening != "$":
        return True
    after = text[end + 1 : end + 2]
    return not (text[inside].isspace() or text[end - 1].isspace() or after.isdigit() or text[start - 1 : start].isalnum())


def _block(state: StateBlock, first_line: int, end_line: int, silent: bool) -> bool:
    if state.is_code_block(first_line):
        return False
    opening, closing, keep = _opened(_line(state, first_line))
    if not opening:
        return False
    for line in range(first_line, min(end_line, first_line + MAX_LINES)):
        text = _line(state, line)
        if line > first_line and (not text or state.sCount[line] < state.blkIndent):
            return False
        body = text[len(opening) :] if line == first_line else text
        if closing not in body:
            continue
        if not body.rstrip(" .,;").endswith(closing):
            return False
        if not silent:
            _push(state, first_line, line, opening, closing, keep)
        state.line = line + 1
        return True
    return False


def _push(state: StateBlock, first_line: int, last_line: int, opening: str, closing: str, keep: bool) -> None:
    """Add the token of a block; the marks of an environment are part of the formula, others are not."""
    source = "\n".join(_line(state, line) for line in range(first_line, last_line + 1)).strip()
    body, rest = source[len(opening) :].rsplit(closing, 1)
    token: Any = state.push("formula_block", "math", 0)
    token.block, token.map = True, [first_line, last_line + 1]
    token.content = opening + body + closing if keep else body.strip()
    token.info = rest.strip()


def _opened(text: str) -> tuple[str, str, bool]:
    for opening, closing in _BLOCK:
        if text.startswith(opening):
            return opening, closing, False
    match = _ENVIRONMENT.match(text)
    return (match[0], f"\\end{{{match[1]}}}", True) if match else ("", "", False)


def _line(state: StateBlock, line: int) -> str:
    return state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]].rstrip()
