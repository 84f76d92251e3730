"""Programs in texts: the code blocks of a reply, the tests of a prompt, and which of them can be run."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from goldsmith.retrieve.text import plain_text
from goldsmith.sandbox.languages import find_language

MOST_BLOCKS = 40
LONGEST = 60_000
"""Characters of a block or of tests that are looked at."""
TEST_KEYS = ("tests", "test_list", "test")
"""Names of tests in the `meta` of pairs; MBPP and HumanEval use the last two."""
_FENCE = re.compile(r"^ {0,3}(?P<fence>`{3,}|~{3,})[ \t]*(?P<info>[^`\n]*)$")


@dataclass(frozen=True, slots=True)
class Block:
    """One code block: its language (the name in `LANGUAGES` where it can be run, else as its author wrote it; None: not named) and the code."""

    language: str | None
    code: str


@dataclass(frozen=True, slots=True)
class PromptTests:
    """Tests that belong to a prompt."""

    language: str
    code: str


def code_blocks(text: str) -> list[Block]:
    """Return the fenced blocks of a Markdown text in their order; a fence that is never closed reaches to the end."""
    blocks: list[Block] = []
    fence, info = "", ""
    lines: list[str] = []
    for line in text.split("\n"):
        if fence:
            if _closes(line, fence):
                blocks.append(_block(info, lines))
                fence = ""
            else:
                lines.append(line)
        elif (match := _FENCE.match(line)) is not None:
            fence, info, lines = match["fence"], match["info"], []
    if fence:
        blocks.append(_block(info, lines))
    return blocks[:MOST_BLOCKS]


def prompt_tests(context: Sequence[Mapping[str, Any]], meta: Mapping[str, Any] | None = None) -> PromptTests | None:
    """Return the tests of a prompt: those that came with the pair (`meta.tests`, text or a list of texts, in `meta.tests_language`), else the
    `assert` lines of Python in the last turn of its user; None without any.
    """
    told = given_tests(meta or {})
    if told is not None:
        return told
    asked = next((plain_text(turn["content"]) for turn in reversed(context) if turn["role"] == "user"), "")
    found = [line.strip().strip("`") for line in asked[:LONGEST].split("\n")]
    asserts = [line for line in found if line.startswith("assert ") and _is_python(line)]
    return PromptTests("python", "\n".join(asserts)) if asserts else None


def given_tests(meta: Mapping[str, Any]) -> PromptTests | None:
    """Return the tests that came with a pair."""
    for key in TEST_KEYS:
        value = meta.get(key)
        lines = [value] if isinstance(value, str) else value
        if isinstance(lines, list) and lines and all(isinstance(line, str) for line in lines):
            code = "\n".join(lines)
            language = find_language(str(meta.get("tests_language") or "python"))
            if code.strip() and language is not None:
                return PromptTests(language.name, code[:LONGEST])
    return None


def programs_of(reply: str, language: str) -> list[str]:
    """Return what may be meant as the program of a reply in one language, the likeliest first: its longest block, then all of them together.

    A block without a language counts when no other names one.
    """
    blocks = code_blocks(reply)
    codes = [block.code for block in blocks if block.language == language]
    if not codes and language == "python":
        codes = [block.code for block in blocks if block.language is None and _is_python(block.code)]
    longest = max(codes, key=len, default="")
    together = "\n\n".join(codes)
    return [code for code in dict.fromkeys([longest, together]) if code.strip()]


def _closes(line: str, fence: str) -> bool:
    bare = line.strip()
    return len(line) - len(line.lstrip(" ")) < 4 and len(bare) >= len(fence) and set(bare) == {fence[0]}


def _block(info: str, lines: list[str]) -> Block:
    named = info.split(maxsplit=1)[0].strip("{}.") if info.strip() else ""
    language = find_language(named) if named else None
    # Another language than those that can be run is not "none named": it must not be taken for Python.
    return Block(language.name if language else named.lower() or None, "\n".join(lines)[:LONGEST])


def _is_python(code: str) -> bool:
    try:
        ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
