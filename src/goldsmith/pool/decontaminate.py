"""Decontamination: which pairs share text with the first-turn prompt of a benchmark (spec 2, contracts "Text identity").

Words become ids of the benchmarks' own vocabulary (0: a word no benchmark knows), so a 13-gram with an unknown word can never
match and costs nothing; what is left is looked up in a bit table by a rolling hash, and every hit is confirmed exactly.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any

import numpy as np

from goldsmith.benchdata.prompts import BenchmarkPrompt
from goldsmith.pool.words import words

GRAM = 13
CONTAMINATED_GRAM = "contaminated-13gram"
CONTAMINATED_SHORT = "contaminated-short-prompt"
_BITS = 22
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


WordsOfRows = Sequence[Sequence[Sequence[bytes]]]
"""For each row, for each of its texts, the words."""


@dataclass(slots=True)
class BenchmarkIndex:
    """The 13-grams and short prompts of a collection of benchmark prompts; picklable, so that workers can load it."""

    set_names: list[str] = field(default_factory=list)
    vocabulary: dict[bytes, int] = field(default_factory=dict)
    grams: dict[bytes, int] = field(default_factory=dict)
    """13 word ids (int32 bytes) to the place of a set's name."""
    short: dict[bytes, int] = field(default_factory=dict)
    """Prompts of fewer than 13 words, normalised."""
    bits: Any = None
    """bool[2^22]: whether any gram has this hash; most windows end here."""

    @classmethod
    def build(cls, prompts: Iterable[BenchmarkPrompt]) -> BenchmarkIndex:
        """Return the index of the prompts."""
        index = cls()
        places: dict[str, int] = {}
        for prompt in prompts:
            place = places.setdefault(prompt.set_name, len(places))
            found = words(prompt.text)
            if len(found) < GRAM:
                if found:
                    index.short.setdefault(b" ".join(found), place)
                continue
            ids = np.array([index.vocabulary.setdefault(word, len(index.vocabulary) + 1) for word in found], dtype=np.int32)
            for start in range(len(ids) - GRAM + 1):
                index.grams.setdefault(ids[start : start + GRAM].tobytes(), place)
        index.set_names = list(places)
        index.bits = np.zeros(1 << _BITS, dtype=bool)
        if index.grams:
            table = np.frombuffer(b"".join(index.grams), dtype=np.int32).reshape(-1, GRAM)
            index.bits[_slots(table.T)] = True
        return index

    def contaminated(self, words_of_rows: WordsOfRows, first_prompts: Sequence[Sequence[bytes]]) -> dict[int, tuple[str, str]]:
        """Return the contaminated rows of a batch: place in the batch -> (reason, what was hit).

        Args:
            words_of_rows: for each row, the words of each of its texts (the context's turns, both replies); a 13-gram lies within one.
            first_prompts: for each row, the words of its first user turn.
        """
        found = self._short_hits(first_prompts) if self.short else {}
        if self.grams:
            # A shared 13-gram is the stronger finding, and the two reasons are counted apart.
            found.update(self._gram_hits(words_of_rows))
        return found

    def _short_hits(self, first_prompts: Sequence[Sequence[bytes]]) -> dict[int, tuple[str, str]]:
        found = {}
        for row, prompt in enumerate(first_prompts):
            if len(prompt) < GRAM and (place := self.short.get(key := b" ".join(prompt))) is not None:
                found[row] = (CONTAMINATED_SHORT, f"{self.set_names[place]}: {key.decode()}")
        return found

    def _gram_hits(self, words_of_rows: WordsOfRows) -> dict[int, tuple[str, str]]:
        ids, ends = array("i"), []
        get = self.vocabulary.get
        for texts in words_of_rows:
            for text in texts:
                ids.extend(map(get, text, repeat(0)))
                ids.append(0)  # no 13-gram reaches from one text into the next
            ends.append(len(ids))
        found: dict[int, tuple[str, str]] = {}
        told = 0
        for start, place in self._matches(np.frombuffer(ids, dtype=np.int32)):
            if start < told:
                continue  # one finding a row is enough
            row = bisect_right(ends, start)
            told = ends[row]
            found[row] = (CONTAMINATED_GRAM, self.set_names[place])
        return found

    def _matches(self, ids: Any) -> Iterable[tuple[int, int]]:
        """Yield (start, set) of every 13-gram of `ids` that a benchmark has."""
        if len(ids) < GRAM:
            return
        unknown = np.zeros(len(ids) + 1, dtype=np.int32)
        np.cumsum(ids == 0, out=unknown[1:])
        starts = np.flatnonzero(unknown[GRAM:] == unknown[:-GRAM])
        starts = starts[self.bits[_slots(ids[starts + offset] for offset in range(GRAM))]] if len(starts) else starts
        for start in starts.tolist():
            place = self.grams.get(ids[start : start + GRAM].tobytes())
            if place is not None:
                yield start, place


def _slots(columns: Iterable[Any]) -> Any:
    """Return the place in the bit table of each gram, given its words' ids column by column."""
    total: Any = None
    for column in columns:
        ids = column.astype(np.uint64)
        total = ids if total is None else total * _MULTIPLIER + ids
    return (total * _MULTIPLIER) >> np.uint64(64 - _BITS)
