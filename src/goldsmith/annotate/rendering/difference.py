"""Which words of two replies are the same: a longest common subsequence, found 64 words at a time.

Hyyrö's bit-parallel recurrence on Python integers: time and memory grow with the product of the lengths divided by the
word size of the machine, so that two replies of 10,000 words take a fraction of a second whatever they hold.
"""

from __future__ import annotations

import re
from html import escape
from itertools import groupby

from goldsmith.evaluate.report.text import clean

MAX_TOKENS = 12_000
"""Words, spaces and signs of one reply; what comes after is left out."""
CUT = '<span class="cut">…</span>'
_TOKEN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\W\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]{1,200}|\s+|[^\w\s]")


def difference(first: str, second: str) -> tuple[str, str]:
    """Return both replies as HTML, to be shown with their line breaks; words that the other reply has not are in `<mark>`.

    Characters that reorder text are made visible. A reply is cut at `MAX_TOKENS`; `<span class="cut">` then stands at its end.
    """
    one, two = (_TOKEN.findall(clean(text)) for text in (first, second))
    ends = tuple(CUT if len(tokens) > MAX_TOKENS else "" for tokens in (one, two))
    one, two = one[:MAX_TOKENS], two[:MAX_TOKENS]
    head = _shared_prefix(one, two)
    matched = [(place, place) for place in range(head)]
    matched += [(at + head, to + head) for at, to in _common(one[head:], two[head:])]
    in_first, in_second = _without_specks(matched, one, two)
    return _marked(one, in_first) + ends[0], _marked(two, in_second) + ends[1]


def _shared_prefix(one: list[str], two: list[str]) -> int:
    length = min(len(one), len(two))
    return next((place for place in range(length) if one[place] != two[place]), length)


def _common(one: list[str], two: list[str]) -> list[tuple[int, int]]:
    """Return places of a longest common subsequence, in order.

    Row r of `rows` holds one bit for each token of `one`; a zero at bit c says that the common subsequence of one[:c+1] and
    two[:r+1] is longer than that of one[:c] and two[:r+1].
    """
    places: dict[str, int] = {}
    for place, token in enumerate(one):
        places[token] = places.get(token, 0) | (1 << place)
    mask = (1 << len(one)) - 1
    row, rows = mask, []
    for token in two:
        hit = row & places.get(token, 0)
        row = ((row + hit) | (row - hit)) & mask
        rows.append(row)
    pairs = []
    at, to = len(one), len(two)
    while at and to:
        if rows[to - 1] >> (at - 1) & 1:
            at -= 1
            continue
        to -= 1
        if to and not rows[to - 1] >> (at - 1) & 1:
            continue
        at -= 1
        pairs.append((at, to))
    return pairs[::-1]


def _without_specks(matched: list[tuple[int, int]], one: list[str], two: list[str]) -> tuple[set[int], set[int]]:
    """Drop matches that stand alone between changes: a shared comma or `the` says nothing and makes the page flicker."""
    kept: list[tuple[int, int]] = []
    block: list[tuple[int, int]] = []
    for pair in [*matched, (-9, -9)]:
        if block and pair != (block[-1][0] + 1, block[-1][1] + 1):
            is_edge = block[0] == (0, 0) or block[-1] == (len(one) - 1, len(two) - 1)
            if is_edge or sum(_is_word(one[at]) for at, _ in block) > 1:
                kept += block
            block = []
        block.append(pair)
    return {at for at, _ in kept}, {to for _, to in kept}


def _is_word(token: str) -> bool:
    return token[0].isalnum()


def _marked(tokens: list[str], same: set[int]) -> str:
    """Return the tokens as HTML with a mark around each run of those that are not the same."""
    parts = []
    for is_same, run in groupby(enumerate(tokens), key=lambda item: item[0] in same):
        text = escape("".join(token for _, token in run), quote=False)
        parts.append(text if is_same or text.isspace() else f"<mark>{text}</mark>")
    return "".join(parts)
