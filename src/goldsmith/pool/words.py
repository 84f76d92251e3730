"""Text as words, for comparing it: NFKC, casefold, runs of letters or digits, each CJK character a word (contracts)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any
from zlib import crc32

import numpy as np

_FOLD = bytes(byte + 32 if 65 <= byte <= 90 else (byte if 48 <= byte <= 57 or 97 <= byte <= 122 else 32) for byte in range(256))
"""ASCII: capitals to small letters, letters and digits kept, everything else to a space."""

CJK = "\u3005\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
"""Han characters and kana, which are written without spaces. Hangul is: its words are runs like any other."""
# Some signs lie in these ranges too; only a letter is a word.
_WORD = re.compile(f"(?=[^\\W_])[{CJK}]|[^\\W_{CJK}]+")

_PUNCTUATION = "\u2019\u2018\u201c\u201d\u2014\u2013\u2026\u2022\u00a0\u2192\u20ac\u00b0\u00d7"
"""Signs common in otherwise plain English text. Those that NFKC turns into no letter or digit may become a space at once."""
_SPACED = [sign for sign in _PUNCTUATION if not any(char.isalnum() for char in unicodedata.normalize("NFKC", sign).casefold())]


def words(text: str) -> list[bytes]:
    """Return the words of a text, normalised, in UTF-8; empty for a text without letters or digits."""
    if not text.isascii():
        for sign in _SPACED:
            text = text.replace(sign, " ")
        if not text.isascii():
            return [
                word.encode("utf-8", "surrogatepass") for word in _WORD.findall(unicodedata.normalize("NFKC", text).casefold())
            ]
    return text.encode("ascii").translate(_FOLD).split()


def normalised(text: str) -> bytes:
    """Return a text's words joined by spaces: equal for texts that differ in case, spacing and punctuation alone."""
    return b" ".join(words(text))


@dataclass(frozen=True, slots=True)
class WordTable:
    """The words of many rows' texts in one run, with a 32-bit hash each: what whole batches are compared by.

    Shapes: `flat` and `hashes` [words], `text_lengths` [texts], `row_ends` [rows], the place after each row's last word.
    """

    flat: list[bytes]
    hashes: Any
    text_lengths: Any
    row_ends: Any

    @classmethod
    def of(cls, words_of_rows: Sequence[Sequence[Sequence[bytes]]]) -> WordTable:
        """Return the table of rows, each a list of texts, each a list of words."""
        texts = list(chain.from_iterable(words_of_rows))
        flat = list(chain.from_iterable(texts))
        hashes = np.fromiter(map(crc32, flat), dtype=np.uint32, count=len(flat))
        lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
        ends_of_texts = np.concatenate([[0], np.cumsum(lengths)])
        texts_until = np.cumsum([len(row) for row in words_of_rows], dtype=np.int64)
        return cls(flat=flat, hashes=hashes, text_lengths=lengths, row_ends=ends_of_texts[texts_until])

    @property
    def row_lengths(self) -> Any:
        """Words of each row, int64[rows]."""
        return np.diff(self.row_ends, prepend=0)
