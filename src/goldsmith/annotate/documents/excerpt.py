"""The part of a passage that a person reads first: the stretch with most of the question's words, and where they stand in it."""

from __future__ import annotations

import re

from goldsmith.annotate.documents.terms import terms_of_query
from goldsmith.pool.words import CJK

LENGTH = 320
_WORD = re.compile(r"[^\W_]+")
_CJK_TERM = re.compile(f"[{CJK}]{{1,2}}")


def excerpt(text: str, question: str, length: int = LENGTH) -> tuple[list[tuple[str, bool]], bool]:
    """Return the best stretch of a passage as pieces, each with whether it is a word of the question, and whether it is the whole passage."""
    spans = _spans(text, set(terms_of_query(question)))
    if len(text) <= length:
        return _pieces(text, spans, 0, len(text)), True
    # Of the stretches that begin shortly before a word of the question, the one with the most different words.
    starts = [max(0, at - length // 5) for at, _ in spans] or [0]
    start = max(
        starts, key=lambda at: (len({text[one:end].casefold() for one, end in spans if at <= one and end <= at + length}), -at)
    )
    start = 0 if start == 0 else text.find(" ", start, start + 40) + 1 or start
    return [
        *([("… ", False)] if start else []),
        *_pieces(text, spans, start, min(len(text), start + length)),
        (" …", False),
    ], False


def _spans(text: str, terms: set[str]) -> list[tuple[int, int]]:
    found = [match.span() for match in _WORD.finditer(text) if terms & set(terms_of_query(match[0]))]
    cjk = [
        (at, at + len(term))
        for term in terms
        if _CJK_TERM.fullmatch(term)
        for at in (one.start() for one in re.finditer(re.escape(term), text))
    ]
    plain = [span for span in found if not any(_CJK_TERM.match(text[at]) for at in range(*span))]
    return sorted(set(plain + cjk))


def _pieces(text: str, spans: list[tuple[int, int]], start: int, stop: int) -> list[tuple[str, bool]]:
    pieces, at = [], start
    for one, end in spans:
        if one < at or end > stop:
            continue
        pieces += [(text[at:one], False)] if one > at else []
        pieces.append((text[one:end], True))
        at = end
    return [*pieces, (text[at:stop], False)] if at < stop else pieces
