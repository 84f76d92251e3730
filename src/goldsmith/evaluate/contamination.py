"""How much of a training pool shares text with each benchmark: the pool's own rule of decontamination, one benchmark at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from goldsmith.benchdata.prompts import BenchmarkPrompt, text_of_content
from goldsmith.pool.decontaminate import BenchmarkIndex
from goldsmith.pool.sources.recognise import Rejected, read_pairs
from goldsmith.pool.words import WordTable, words
from goldsmith.store.pairs import text_of
from goldsmith.types import Pair

BATCH_ROWS = 1024


@dataclass(slots=True)
class PoolOverlap:
    """Counts over a pool: num_pairs = pairs looked at; a pair counts once for each benchmark it shares text with."""

    num_pairs: int = 0
    num_rejected: int = 0
    num_prompts: dict[str, int] = field(default_factory=dict)
    """Benchmark to its different first-turn prompts."""
    by_benchmark: dict[str, Counter[str]] = field(default_factory=dict)
    """Benchmark to reason to pairs."""


def pool_overlap(pool: str, prompts: Mapping[str, Iterable[str]]) -> PoolOverlap:
    """Return what a pool shares with each benchmark.

    Args:
        pool: a file, folder or hub dataset of pairs, in any format that `pool add` reads; streamed.
        prompts: benchmark to its first-turn prompts.

    Raises:
        DataError: the pool cannot be read.
    """
    distinct = {name: list(dict.fromkeys(texts)) for name, texts in prompts.items()}
    indexes = {
        name: BenchmarkIndex.build(BenchmarkPrompt(text=text, set_name=name) for text in texts)
        for name, texts in distinct.items()
    }
    found = PoolOverlap(
        num_prompts={name: len(texts) for name, texts in distinct.items()}, by_benchmark={name: Counter() for name in distinct}
    )
    outcomes = iter(read_pairs(pool))
    while batch := list(islice(outcomes, BATCH_ROWS)):
        pairs = [item for item in batch if isinstance(item, Pair)]
        found.num_rejected += sum(isinstance(item, Rejected) for item in batch)
        found.num_pairs += len(pairs)
        _count(found, pairs, indexes)
    return found


def _count(found: PoolOverlap, pairs: Sequence[Pair], indexes: Mapping[str, BenchmarkIndex]) -> None:
    """Hold one batch against every benchmark; its words are found once."""
    turns = [[words(text_of_content(message.content)) for message in pair.context] for pair in pairs]
    table = WordTable.of(
        [[*own, words(text_of(pair.first)), words(text_of(pair.second))] for own, pair in zip(turns, pairs, strict=True)]
    )
    first = [
        next((turn for turn, message in zip(own, pair.context, strict=True) if message.role == "user"), [])
        for own, pair in zip(turns, pairs, strict=True)
    ]
    for name, index in indexes.items():
        if not index.is_empty:
            found.by_benchmark[name].update(reason for reason, _ in index.contaminated(table, first).values())
