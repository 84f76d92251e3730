"""Markdown to HTML: CommonMark with tables, strike-through, formulas and coloured code; no HTML of the text's own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

from goldsmith.annotate.rendering.budget import Budget
from goldsmith.annotate.rendering.code import highlight
from goldsmith.annotate.rendering.formulas import formulas_plugin
from goldsmith.annotate.rendering.latex import to_mathml
from goldsmith.annotate.rendering.limits import MAX_NESTING

_HEADING_SHIFT = 2
"""A reply stands under the page's second-level headings."""
_STEPS_PER_BRACKET = 60
"""A bracket that opens no link has cost a search for its end."""
_BREAK = re.compile(r"<br\s{0,4}/?>", re.IGNORECASE)


def to_html(text: str, budget: Budget) -> str:
    """Return Markdown as HTML, still to be sanitised.

    Raises:
        TooCostlyError: the budget is spent.
    """
    return str(_PARSER.render(text, {"budget": budget}))


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True, "maxNesting": MAX_NESTING}).enable(
        ["table", "strikethrough"]
    )
    formulas_plugin(parser)
    parser.inline.ruler.before("escape", "line_break", _line_break)
    parser.inline.ruler.push("budget", _spend)
    parser.block.ruler.before("table", "budget", _spend_block, {"alt": ["paragraph", "reference", "blockquote", "list"]})
    for name, rule in _RULES.items():
        parser.add_render_rule(name, rule)
    return parser


def _line_break(state: StateInline, silent: bool) -> bool:
    """Read `<br>`, which replies put into table cells."""
    if state.src[state.pos] != "<":
        return False
    match = _BREAK.match(state.src, state.pos)
    if match is None:
        return False
    if not silent:
        state.push("hardbreak", "br", 0)
    state.pos = match.end()
    return True


def _spend(state: Any, _silent: bool) -> bool:
    state.env["budget"].spend(_STEPS_PER_BRACKET if state.src[state.pos] in "[!" else 1)
    return False


def _spend_block(state: Any, _start: int, _end: int, _silent: bool) -> bool:
    state.env["budget"].spend(4)
    return False


def _heading(_self: Any, tokens: Sequence[Token], place: int, _options: Any, _env: Any) -> str:
    level = min(6, int(tokens[place].tag[1:]) + _HEADING_SHIFT)
    return f"<h{level}>" if tokens[place].nesting == 1 else f"</h{level}>\n"


def _link_open(_self: Any, tokens: Sequence[Token], place: int, _options: Any, env: Any) -> str:
    """A link leads to another site or by mail; what would lead into this site, or nowhere, stays plain text."""
    address = str(tokens[place].attrs.get("href", ""))
    leads_out = address.lower().startswith(("http://", "https://", "mailto:"))
    env.setdefault("links", []).append(leads_out)
    return f'<a href="{escape(address)}">' if leads_out else ""


def _link_close(_self: Any, _tokens: Sequence[Token], _place: int, _options: Any, env: Any) -> str:
    return "</a>" if env["links"].pop() else ""


def _image(_self: Any, tokens: Sequence[Token], place: int, _options: Any, _env: Any) -> str:
    """An image becomes a link: nothing is fetched until a person asks for it."""
    token = tokens[place]
    name = escape(token.content or "image")
    address = escape(str(token.attrs.get("src", "")))
    if not address.startswith(("http://", "https://")):
        return f'<span class="image">{name}</span>'
    return f'<a class="image" href="{address}">{name}</a>'


def _fence(_self: Any, tokens: Sequence[Token], place: int, _options: Any, env: Any) -> str:
    token = tokens[place]
    language = token.info.strip().split(maxsplit=1)[0] if token.info.strip() else ""
    return f'<pre tabindex="0"><code>{highlight(token.content, language, env["budget"])}</code></pre>\n'


def _cell(_self: Any, tokens: Sequence[Token], place: int, _options: Any, _env: Any) -> str:
    token = tokens[place]
    align = str(token.attrs.get("style", "")).removeprefix("text-align:")
    return f'<{token.tag} class="{align}">' if align in ("left", "center", "right") else f"<{token.tag}>"


def _formula(_self: Any, tokens: Sequence[Token], place: int, _options: Any, env: Any) -> str:
    token = tokens[place]
    is_display = token.markup != "inline"
    mathml = to_mathml(token.content, env["budget"], is_display=is_display)
    shown = mathml if mathml is not None else f'<code class="tex">{escape(token.content)}</code>'
    if token.type == "formula":
        return shown
    return f'<div class="formula">{shown}{escape(token.info)}</div>\n'


_RULES: dict[str, Any] = {
    "heading_open": _heading,
    "heading_close": _heading,
    "link_open": _link_open,
    "link_close": _link_close,
    "image": _image,
    "fence": _fence,
    "code_block": _fence,
    "th_open": _cell,
    "td_open": _cell,
    "formula": _formula,
    "formula_block": _formula,
    "table_open": lambda *_: '<div class="scroll" tabindex="0"><table>\n',
    "table_close": lambda *_: "</table></div>\n",
}
_PARSER = _parser()
