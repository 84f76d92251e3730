"""What is in any file of pairs: origin of the labels, copies, contradictions, contamination, and what biases the labels."""

from __future__ import annotations

import statistics
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from goldsmith.benchdata.prompts import text_of_content
from goldsmith.pool.benchmarks import benchmark_prompts
from goldsmith.pool.bias import Bias, Share
from goldsmith.pool.decontaminate import BenchmarkIndex
from goldsmith.pool.near import NUM_BANDS, Near, confirm, signature_batch
from goldsmith.pool.sources.recognise import Rejected, read_pairs, recognise
from goldsmith.pool.words import WordTable, words
from goldsmith.store.pairs import text_of
from goldsmith.types import Pair

Classify = Callable[[Sequence[list[dict[str, Any]]]], Sequence[str]]
"""From contexts (messages as dicts) to the task of each."""
BATCH_ROWS = 1024
EXAMPLES = 5


class Example(BaseModel):
    """A place worth looking at: where a pair stands, and where the pair it clashes with stands."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at: str
    like: str


class Audit(BaseModel):
    """The audit of one input. `rows` = `pairs` + the sum of `rejected`; the other counts are about `pairs`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: str
    format: str
    container: str
    rows: int
    rejected: dict[str, int]
    pairs: int
    contexts: int
    multi_turn: int
    ties: int
    label_origins: dict[str, int]
    sources: dict[str, int]
    exact_duplicates: int
    """Rows beyond the first with the same context, replies and label."""
    contradictions: int
    """Distinct pairs that occur with different labels."""
    near_duplicates: int
    """Distinct pairs whose text is mostly that of an earlier one."""
    contaminated: dict[str, int] | None
    """Pairs that share text with a benchmark prompt, by reason; None: no benchmarks were given."""
    contaminated_sets: dict[str, int]
    longer_preferred: Share
    formatting: dict[str, Share]
    """For each kind of formatting: how often the preferred reply has more of it."""
    median_chars: dict[str, float]
    tasks: dict[str, int] | None
    """Pairs by task, most first; None: no classifier was given."""
    examples: dict[str, list[Example]]


def audit(
    path: str | Path,
    benchmarks: Sequence[str | Path] = (),
    column_map: Mapping[str, str] | None = None,
    classify: Classify | None = None,
    max_line_mb: int = 64,
) -> Audit:
    """Return what is in a file, folder or hub dataset of pairs; needs no workspace and changes nothing.

    Args:
        path: any input that `pool add` reads.
        benchmarks: files or folders of evaluation sets to look for.
        column_map: our field to the file's column.
        classify: from contexts to tasks, for the coverage.
        max_line_mb: a longer line is counted as rejected.

    Raises:
        DataError: as `recognise`.
    """
    found = recognise(path, column_map, max_line_mb)
    index = BenchmarkIndex.build(benchmark_prompts(benchmarks)) if benchmarks else None
    tally = _Tally(index, classify)
    outcomes = read_pairs(path, column_map, max_line_mb)
    while batch := list(islice(outcomes, BATCH_ROWS)):
        tally.add(batch)
    return tally.result(str(path), found.format, found.container)


class _Tally:
    """Everything that is counted while the pairs stream by; about 300 bytes a pair are kept."""

    def __init__(self, index: BenchmarkIndex | None, classify: Classify | None) -> None:
        self._index = index
        self._classify = classify
        self._rejected: Counter[str] = Counter()
        self._origins: Counter[str] = Counter()
        self._sources: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self._sets: Counter[str] = Counter()
        self._tasks: Counter[str] = Counter()
        self._task_of: dict[str, str] = {}
        self._seen: dict[str, dict[str, str]] = {}
        self._contexts: set[str] = set()
        self._bias = Bias()
        self._chars = {"chosen": array("q"), "rejected": array("q")}
        self._minima: list[bytes] = []
        self._bands: list[Any] = []
        self._names: list[str] = []
        self._pairs = self._ties = self._multi_turn = self._duplicates = 0
        self._examples: dict[str, list[Example]] = {"contradiction": [], "near-duplicate": [], "contamination": []}

    def add(self, batch: Sequence[Pair | Rejected]) -> None:
        self._rejected.update(item.reason for item in batch if isinstance(item, Rejected))
        pairs = [item for item in batch if isinstance(item, Pair)]
        texts = [[words(text_of_content(message.content)) for message in pair.context] for pair in pairs]
        for pair in pairs:
            self._count(pair)
        whole = [
            [*turns, words(text_of(pair.first)), words(text_of(pair.second))] for turns, pair in zip(texts, pairs, strict=True)
        ]
        table = WordTable.of(whole)
        self._sign(pairs, table)
        self._contaminate(pairs, whole, table)
        self._classify_new(pairs)

    def _count(self, pair: Pair) -> None:
        self._pairs += 1
        self._origins[pair.label_origin] += 1
        self._sources[pair.source] += 1
        self._multi_turn += sum(message.role == "user" for message in pair.context) > 1
        labels = self._seen.setdefault(pair.pair_id, {})
        if pair.label in labels:
            self._duplicates += 1
        elif labels:
            self._example("contradiction", pair.source_ref, next(iter(labels.values())))
        labels.setdefault(pair.label, pair.source_ref)
        if pair.label == "tie":
            self._ties += 1
            return
        chosen, rejected = text_of(pair.chosen), text_of(pair.rejected)
        self._bias.add(chosen, rejected)
        self._chars["chosen"].append(len(chosen))
        self._chars["rejected"].append(len(rejected))

    def _example(self, kind: str, at: str, like: str) -> None:
        if len(self._examples[kind]) < EXAMPLES:
            self._examples[kind].append(Example(at=at, like=like))

    def _sign(self, pairs: list[Pair], table: WordTable) -> None:
        if not pairs:
            return
        signed = signature_batch([pair.pair_id for pair in pairs], table)
        self._names += [pair.pair_id for pair in pairs]
        self._minima += signed.column("minima").to_pylist()
        self._bands.append(np.stack([signed.column(f"band_{band}").to_numpy() for band in range(NUM_BANDS)]))

    def _contaminate(self, pairs: list[Pair], whole: list[list[list[bytes]]], table: WordTable) -> None:
        if self._index is None:
            return
        first = [
            next((turn for turn, message in zip(texts, pair.context, strict=False) if message.role == "user"), [])
            for texts, pair in zip(whole, pairs, strict=True)
        ]
        for place, (reason, detail) in self._index.contaminated(table, first).items():
            self._reasons[reason] += 1
            self._sets[detail.split(": ", 1)[0]] += 1
            self._example("contamination", pairs[place].source_ref, detail)

    def _classify_new(self, pairs: list[Pair]) -> None:
        contexts = {pair.context_id: pair.messages for pair in pairs}
        self._contexts.update(contexts)
        if self._classify is None:
            return
        new = [name for name in contexts if name not in self._task_of]
        self._task_of.update(zip(new, self._classify([contexts[name] for name in new]) if new else [], strict=True))
        self._tasks.update(self._task_of[pair.context_id] for pair in pairs)

    def _near(self) -> dict[str, Near]:
        best: dict[str, Near] = {}
        bands = np.concatenate(self._bands, axis=1) if self._bands else np.zeros((NUM_BANDS, 0), dtype=np.int64)
        for band in bands:
            _, inverse, members = np.unique(band, return_inverse=True, return_counts=True)
            shared = np.flatnonzero(members[inverse] > 1)
            confirm(((int(band[place]), self._names[place], self._minima[place]) for place in shared.tolist()), best)
        return best

    def result(self, path: str, name: str, container: str) -> Audit:
        near = self._near()
        for name_, like in islice(sorted(near.items()), EXAMPLES):
            self._example("near-duplicate", *(next(iter(self._seen[pair_id].values())) for pair_id in (name_, like.like)))
        return Audit(
            input=path,
            format=name,
            container=container,
            rows=self._pairs + sum(self._rejected.values()),
            rejected=dict(sorted(self._rejected.items())),
            pairs=self._pairs,
            contexts=len(self._contexts),
            multi_turn=self._multi_turn,
            ties=self._ties,
            label_origins=dict(self._origins.most_common()),
            sources=dict(self._sources.most_common()),
            exact_duplicates=self._duplicates,
            contradictions=sum(len(labels) > 1 for labels in self._seen.values()),
            near_duplicates=len(near),
            contaminated=dict(sorted(self._reasons.items())) if self._index is not None else None,
            contaminated_sets=dict(self._sets.most_common()),
            longer_preferred=self._bias.length.share(),
            formatting={marker: tally.share() for marker, tally in self._bias.markers.items()},
            median_chars={side: float(statistics.median(lengths)) for side, lengths in self._chars.items() if lengths},
            tasks=dict(self._tasks.most_common()) if self._classify is not None else None,
            examples={kind: found for kind, found in self._examples.items() if found},
        )


def audit_lines(found: Audit) -> Iterator[str]:
    """Yield the audit as lines of text for people."""
    yield f"{found.input}: {found.format} ({found.container})"
    yield f"rows {found.rows:,} = pairs {found.pairs:,}{''.join(f' + {reason} {count:,}' for reason, count in found.rejected.items())}"
    yield f"contexts {found.contexts:,}, multi-turn pairs {found.multi_turn:,}, ties {found.ties:,}"
    yield f"labels by {_listed(found.label_origins)}"
    yield f"sources: {_listed(found.sources)}"
    yield f"exact duplicates {found.exact_duplicates:,}, contradictions {found.contradictions:,}, near-duplicates {found.near_duplicates:,}"
    if found.contaminated is None:
        yield "contamination: not checked, as no benchmarks were given"
    else:
        yield f"contaminated: {_listed(found.contaminated) or 'none'}{'; by set: ' + _listed(found.contaminated_sets) if found.contaminated else ''}"
    yield f"the longer reply is preferred in {_share(found.longer_preferred)}"
    for marker, share in found.formatting.items():
        if share.of:
            yield f"the reply with more formatting ({marker}) is preferred in {_share(share)}"
    if found.tasks is not None:
        yield f"tasks ({len(found.tasks)}): {_listed(found.tasks)}"
    for kind, examples in found.examples.items():
        yield from (f"{kind}: {example.at} with {example.like}" for example in examples)


def _listed(counts: Mapping[str, int], at_most: int = 12) -> str:
    shown = [f"{name} {count:,}" for name, count in islice(counts.items(), at_most)]
    return ", ".join([*shown, f"and {len(counts) - at_most} more"] if len(counts) > at_most else shown)


def _share(share: Share) -> str:
    if share.share is None or share.low is None or share.high is None:
        return "no pair: none differs in it"
    return f"{share.share:.1%} of {share.of:,} pairs (95 % interval {share.low:.1%} to {share.high:.1%})"
