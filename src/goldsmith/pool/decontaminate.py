"""Decontamination: which pairs share text with the first-turn prompt of a benchmark (spec 2, contracts "Text identity").

Whole batches of words are compared by hashes: a 13-gram with a word that no benchmark has costs nothing, what is left is looked
up in a bit table, then among the benchmarks' 64-bit hashes, and every hit is confirmed word by word in the prompt itself.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from goldsmith.benchdata.prompts import BenchmarkPrompt
from goldsmith.pool.words import WordTable, words

GRAM = 13
CONTAMINATED_GRAM = "contaminated-13gram"
CONTAMINATED_SHORT = "contaminated-short-prompt"
_WORD_BITS = 22
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)

Hits = dict[int, tuple[str, str]]
"""Place of a row in its batch -> (reason, which set and, for a short prompt, its words)."""


@dataclass(slots=True)
class BenchmarkIndex:
    """The 13-grams and short prompts of a collection of benchmark prompts; about 13 bytes a gram."""

    set_names: list[str] = field(default_factory=list)
    short: dict[bytes, int] = field(default_factory=dict)
    """Prompts of fewer than 13 words, normalised, to the place of a set's name."""
    prompts: list[bytes] = field(default_factory=list)
    """The longer prompts, normalised, with a space at both ends."""
    set_of_prompt: list[int] = field(default_factory=list)
    grams: Any = None
    """uint64[grams], sorted: the hashes of all 13-grams; `owners` holds a prompt of each."""
    owners: Any = None
    known_words: Any = None
    """bool[2^22]: whether a benchmark has a word with these hash bits."""
    gram_bits: Any = None
    """bool[2^n], about one in sixteen set: most windows end here."""

    @classmethod
    def build(cls, prompts: Iterable[BenchmarkPrompt]) -> BenchmarkIndex:
        """Return the index of the prompts."""
        index = cls()
        places: dict[str, int] = {}
        long = []
        for prompt in prompts:
            place = places.setdefault(prompt.set_name, len(places))
            found = words(prompt.text)
            if len(found) >= GRAM:
                long.append(found)
                index.prompts.append(b" %b " % b" ".join(found))
                index.set_of_prompt.append(place)
            elif found:
                index.short.setdefault(b" ".join(found), place)
        index.set_names = list(places)
        if long:
            index._add_grams(WordTable.of([long]))
        return index

    def _add_grams(self, table: WordTable) -> None:
        starts = _whole_windows(table)
        hashes = _hashes(table.hashes, starts)
        owner = np.repeat(np.arange(len(table.text_lengths), dtype=np.int32), table.text_lengths)[starts]
        self.grams, first = np.unique(hashes, return_index=True)
        self.owners = owner[first]
        self.known_words = np.zeros(1 << _WORD_BITS, dtype=bool)
        self.known_words[table.hashes >> np.uint32(32 - _WORD_BITS)] = True
        self.gram_bits = np.zeros(1 << min(27, max(16, len(self.grams).bit_length() + 4)), dtype=bool)
        self.gram_bits[self._slots(self.grams)] = True

    def _slots(self, hashes: Any) -> Any:
        return hashes >> np.uint64(65 - len(self.gram_bits).bit_length())

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to look for."""
        return not self.prompts and not self.short

    def contaminated(self, table: WordTable, first_prompts: Sequence[Sequence[bytes]]) -> Hits:
        """Return the contaminated rows of a batch.

        Args:
            table: the words of each row's texts (the context's turns, both replies); a 13-gram lies within one text.
            first_prompts: for each row, the words of its first user turn.
        """
        found = self._short_hits(first_prompts) if self.short else {}
        if self.prompts:
            # A shared 13-gram is the stronger finding, and the two reasons are counted apart.
            found.update(self._gram_hits(table))
        return found

    def _short_hits(self, first_prompts: Sequence[Sequence[bytes]]) -> Hits:
        found = {}
        for row, prompt in enumerate(first_prompts):
            if len(prompt) < GRAM and (place := self.short.get(key := b" ".join(prompt))) is not None:
                found[row] = (CONTAMINATED_SHORT, f"{self.set_names[place]}: {key.decode()}")
        return found

    def _gram_hits(self, table: WordTable) -> Hits:
        found: Hits = {}
        ends = table.row_ends.tolist()
        told = 0
        for start, owner in self._matches(table):
            if start < told:
                continue  # one finding a row is enough
            if b" %b " % b" ".join(table.flat[start : start + GRAM]) not in self.prompts[owner]:
                continue  # another text with the same hash
            row = bisect_right(ends, start)
            told = ends[row]
            found[row] = (CONTAMINATED_GRAM, self.set_names[self.set_of_prompt[owner]])
        return found

    def _matches(self, table: WordTable) -> Iterator[tuple[int, int]]:
        """Yield (first word, prompt) of every window of the table whose hash a benchmark's 13-gram has, in order."""
        unknown = np.zeros(len(table.hashes) + 1, dtype=np.int32)
        np.cumsum(~self.known_words[table.hashes >> np.uint32(32 - _WORD_BITS)], out=unknown[1:])
        starts = _whole_windows(table)
        starts = starts[unknown[starts + GRAM] == unknown[starts]]
        hashes = _hashes(table.hashes, starts)
        likely = self.gram_bits[self._slots(hashes)]
        starts, hashes = starts[likely], hashes[likely]
        places = np.minimum(np.searchsorted(self.grams, hashes), len(self.grams) - 1)
        same = self.grams[places] == hashes
        yield from zip(starts[same].tolist(), self.owners[places[same]].tolist(), strict=True)


def _whole_windows(table: WordTable) -> Any:
    """Return where a window of 13 words begins that does not reach into the next text."""
    if len(table.hashes) < GRAM:
        return np.zeros(0, dtype=np.int64)
    text = np.repeat(np.arange(len(table.text_lengths), dtype=np.int32), table.text_lengths)
    return np.flatnonzero(text[: len(text) - GRAM + 1] == text[GRAM - 1 :])


def _hashes(word_hashes: Any, starts: Any) -> Any:
    """Return the 64-bit hash of the window at each start, uint64."""
    total = np.zeros(len(starts), dtype=np.uint64)
    for offset in range(GRAM):
        total = (total + word_hashes[starts + offset]) * _MULTIPLIER
    # The low bits of a product hang on the low bits of its factors alone: mix the high ones down, so that all count.
    return (total ^ (total >> np.uint64(32))) * _MULTIPLIER
