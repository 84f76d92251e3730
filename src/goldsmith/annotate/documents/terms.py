"""Text as the words of the index: those of every comparison of texts, and pairs of neighbouring CJK characters, which are words more often than one is."""

from __future__ import annotations

import itertools
import re

from goldsmith.pool.words import CJK, words

_CJK_WORD = re.compile(f"[{CJK}]")
MOST_IN_QUERY = 32


def terms_of(text: str) -> list[str]:
    """Return the words of a text to be indexed, in order."""
    found = [word.decode("utf-8", "replace") for word in words(text)]
    return [*found, *_pairs(found)]


def terms_of_query(text: str) -> list[str]:
    """Return the distinct words to look for, in order: pairs of CJK characters instead of single ones where there are pairs."""
    found = [word.decode("utf-8", "replace") for word in words(text)]
    pairs = _pairs(found)
    plain = [word for word in found if not (pairs and _CJK_WORD.fullmatch(word))]
    return list(dict.fromkeys([*plain, *pairs]))[:MOST_IN_QUERY]


def _pairs(found: list[str]) -> list[str]:
    return [one + two for one, two in itertools.pairwise(found) if _CJK_WORD.fullmatch(one) and _CJK_WORD.fullmatch(two)]
