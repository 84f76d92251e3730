"""Code in a few colours: Pygments reads the language, seven classes say what a token is."""

from __future__ import annotations

from functools import cache
from html import escape
from typing import Any

from goldsmith.annotate.rendering.budget import Budget

LANGUAGES = frozenset({
    "bash", "c", "c#", "c++", "clojure", "cpp", "cs", "csharp", "css", "cuda", "dart", "diff", "dockerfile", "elixir", "erlang", "fortran", "go",
    "golang", "graphql", "groovy", "haskell", "hs", "html", "ini", "java", "javascript", "js", "json", "jsx", "julia", "kotlin", "latex",
    "lua", "makefile", "matlab", "nginx", "objective-c", "ocaml", "perl", "php", "powershell", "proto", "ps1", "py", "python", "python3", "r",
    "rb", "ruby", "rs", "rust", "scala", "scheme", "sh", "shell", "solidity", "sql", "swift", "tex", "toml", "ts", "tsx", "typescript", "vb.net",
    "verilog", "vhdl", "xml", "yaml", "yml", "zig", "zsh",
})  # fmt: skip
"""Languages that are coloured. Others, and long blocks, are shown plain: not every lexer is fast on hostile text."""

MAX_CHARS = 16_000
MAX_LINE_CHARS = 400
"""Some lexers need time with the square of a line."""

CLASSES = {"hl-c", "hl-k", "hl-s", "hl-n", "hl-f", "hl-d", "hl-i"}
"""Comment, keyword, string, number, name of a function or class, deleted and inserted line."""


def highlight(code: str, language: str, budget: Budget) -> str:
    """Return code as escaped HTML with a span around each token that has a colour.

    Args:
        code: the text of the block.
        language: as its author wrote it after the fence; an unknown one gives plain text.
        budget: pays for each token.

    Raises:
        TooCostlyError: the budget is spent.
    """
    name = language.strip().lower()
    if name not in LANGUAGES or len(code) > MAX_CHARS or max(map(len, code.split("\n"))) > MAX_LINE_CHARS:
        return escape(code, quote=False)
    parts, length = [], 0
    for kind, value in _lexer(name).get_tokens(code):
        budget.spend()
        length += len(value)
        colour = _colour(kind)
        text = escape(value, quote=False)
        parts.append(f'<span class="hl-{colour}">{text}</span>' if colour and not value.isspace() else text)
    return "".join(parts) if length == len(code) else escape(code, quote=False)


@cache
def _lexer(name: str) -> Any:
    from pygments.lexers import get_lexer_by_name

    return get_lexer_by_name(name, stripnl=False, ensurenl=False)


@cache
def _colour(kind: Any) -> str:
    """Return the letter of a token type's class, by its nearest parent that has one."""
    from pygments.token import Comment, Generic, Keyword, Name, Number, Operator, String

    letters = {
        Comment: "c", Keyword: "k", Operator.Word: "k", Name.Tag: "k", String: "s", Number: "n", Name.Function: "f", Name.Class: "f",
        Name.Decorator: "f", Name.Builtin: "f", Name.Attribute: "f", Generic.Deleted: "d", Generic.Inserted: "i",
    }  # fmt: skip
    while kind is not None:
        if kind in letters:
            return letters[kind]
        kind = kind.parent
    return ""
