"""A text cut into passages: whole paragraphs as long as they fit, long ones at the end of a sentence or at least of a word."""

from __future__ import annotations

import re
from collections.abc import Iterator

LONGEST = 1200
_BREAK = re.compile(r"\n\s*\n")
_SENTENCE = re.compile(r"[.!?。！？]['\")\]]?\s|[。！？]")


def passages_of(text: str, longest: int = LONGEST) -> Iterator[str]:
    """Yield the passages of a text in order, each of at most `longest` characters; together they hold every word of it."""
    held = ""
    for paragraph in _BREAK.split(text):
        for piece in _pieces(paragraph.strip(), longest):
            if held and len(held) + 2 + len(piece) > longest:
                yield held
                held = piece
            else:
                held = f"{held}\n\n{piece}" if held else piece
    if held:
        yield held


def _pieces(paragraph: str, longest: int) -> Iterator[str]:
    while len(paragraph) > longest:
        at = _cut(paragraph, longest)
        yield paragraph[:at].rstrip()
        paragraph = paragraph[at:].lstrip()
    if paragraph:
        yield paragraph


def _cut(paragraph: str, longest: int) -> int:
    """Where to cut: behind the last sentence of the second half, else behind the last space, else anywhere."""
    ends = [found.end() for found in _SENTENCE.finditer(paragraph, longest // 2, longest)]
    return ends[-1] if ends else paragraph.rfind(" ", longest // 2, longest) + 1 or longest
