"""One chunk of raw pairs through the sieve: what stays goes to the pool, the rest is recorded with its reason."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from goldsmith.benchdata.prompts import text_of_content
from goldsmith.identity import unit_interval
from goldsmith.pool.decontaminate import BenchmarkIndex
from goldsmith.pool.dedup import CONTRADICTION
from goldsmith.pool.index_files import read_index
from goldsmith.pool.near import NEAR_SCHEMA, SIGNATURE_SCHEMA, signature_batch
from goldsmith.pool.parts import PartWriter
from goldsmith.pool.words import WordTable, words
from goldsmith.store.engine import Chunk
from goldsmith.store.pairs import pair_schema

DROPPED_SCHEMA = pa.schema([(name, pa.string()) for name in ("pair_id", "reason", "detail", "source", "source_ref")])
FLIPPED_SCHEMA = pa.schema([("pair_id", pa.string())])
SCHEMAS = {
    "pool": pair_schema(),
    "contradictions": pair_schema(),
    "pool_dropped": DROPPED_SCHEMA,
    "flipped_on_purpose": FLIPPED_SCHEMA,
    "near_duplicates": NEAR_SCHEMA,
}
BATCH_ROWS = 2048
INDEX, EXCLUDED = "index", "excluded.json"
"""What every chunk is held against, in the folder of the build's own files."""
_OPPOSITE = {"first": "second", "second": "first", "tie": "tie"}

Verdicts = dict[int, tuple[str, str]]
"""Place in a batch -> (reason, detail) of the rows that leave."""


@lru_cache(maxsize=1)
def _loaded(work: str) -> tuple[BenchmarkIndex, dict[str, str]]:
    """The index and the excluded contexts, once per worker."""
    excluded: dict[str, str] = json.loads((Path(work) / EXCLUDED).read_text(encoding="ascii"))
    return read_index(Path(work) / INDEX), excluded


def sift_chunk(chunk: Chunk) -> Chunk:
    """Sift the row groups of one part; write parts of the four tables and return the counts."""
    index, excluded = _loaded(chunk["work"])
    copies = {int(row): verdict for row, verdict in json.loads(Path(chunk["copies"]).read_text(encoding="utf-8")).items()}
    counts: dict[str, Any] = {"total": 0, "kept": 0, "flipped": 0, "ties": 0}
    counters: dict[str, Counter[str]] = {name: Counter() for name in ("dropped", "sources", "label_origins")}
    with ExitStack() as stack:
        outputs = {
            name: stack.enter_context(PartWriter(Path(folder) / f"part-{chunk['number']:06d}.parquet", SCHEMAS[name]))
            for name, folder in chunk["folders"].items()
        }
        near = stack.enter_context(PartWriter(Path(chunk["near"]), SIGNATURE_SCHEMA)) if chunk["near"] else None
        part = stack.enter_context(pq.ParquetFile(chunk["part"]))
        for batch in part.iter_batches(batch_size=BATCH_ROWS, row_groups=chunk["groups"]):
            found = BatchWords.of(batch) if chunk["near"] or not index.is_empty else None
            verdicts = judge_batch(batch, found, index, excluded, copies)
            kept = _split(batch, verdicts, outputs)
            if near is not None and found is not None:
                signed = signature_batch(batch.column("pair_id").to_pylist(), found.table)
                near.write(signed.filter(stays(batch.num_rows, verdicts)))
            kept, flipped = flip_on_purpose(kept, chunk["flip_share"], chunk["seed"])
            outputs["pool"].write(kept)
            outputs["flipped_on_purpose"].write(flipped)
            counts["total"] += batch.num_rows
            counts["kept"] += kept.num_rows
            counts["flipped"] += flipped.num_rows
            labels = kept.column("label").to_pylist()
            counts["ties"] += labels.count("tie")
            counters["dropped"].update(reason for reason, _ in verdicts.values())
            counters["sources"].update(kept.column("source").to_pylist())
            counters["label_origins"].update(kept.column("label_origin").to_pylist())
    return {**counts, **{name: dict(counter) for name, counter in counters.items()}}


def judge_batch(
    batch: pa.RecordBatch, found: BatchWords | None, index: BenchmarkIndex, excluded: dict[str, str], copies: dict[int, str]
) -> Verdicts:
    """Return which rows leave, and why: copies first, then excluded contexts, then contamination."""
    verdicts: Verdicts = {}
    rows, contexts_ids = batch.column("row").to_pylist(), batch.column("context_id").to_pylist()
    if copies:
        verdicts = {place: (copies[row], "") for place, row in enumerate(rows) if row in copies}
    if excluded:
        for place, name in enumerate(contexts_ids):
            if name in excluded:
                verdicts.setdefault(place, (excluded[name], f"context {name}"))
    if found is not None:
        for place, verdict in index.contaminated(found.table, found.first_prompts).items():
            verdicts.setdefault(place, verdict)
    return verdicts


@dataclass(frozen=True, slots=True)
class BatchWords:
    """The words of a batch: those of every text, and per row those of the first user turn."""

    table: WordTable
    first_prompts: list[list[bytes]]

    @classmethod
    def of(cls, batch: pa.RecordBatch) -> BatchWords:
        """Return the words of every text of the batch; each text is normalised once."""
        texts, first_prompts = [], []
        columns = (batch.column(name).to_pylist() for name in ("context", "first", "second"))
        for context, first, second in zip(*columns, strict=True):
            messages = orjson.loads(context)
            turns = [words(text_of_content(message["content"])) for message in messages]
            texts.append([*turns, words(first), words(second)])
            first_prompts.append(
                next((turn for turn, message in zip(turns, messages, strict=True) if message["role"] == "user"), [])
            )
        return cls(table=WordTable.of(texts), first_prompts=first_prompts)


def _split(batch: pa.RecordBatch, verdicts: Verdicts, outputs: dict[str, PartWriter]) -> pa.RecordBatch:
    """Write the rows that leave, and return those that stay with the pool's columns."""
    plain = batch.select(pair_schema().names)
    if not verdicts:
        return plain
    names, sources, references = (batch.column(name).to_pylist() for name in ("pair_id", "source", "source_ref"))
    gone = [
        {"pair_id": names[place], "reason": reason, "detail": detail, "source": sources[place], "source_ref": references[place]}
        for place, (reason, detail) in sorted(verdicts.items())
    ]
    outputs["pool_dropped"].write(pa.RecordBatch.from_pylist(gone, schema=DROPPED_SCHEMA))
    contradicting = [place for place, (reason, _) in sorted(verdicts.items()) if reason == CONTRADICTION]
    if contradicting:
        outputs["contradictions"].write(plain.take(pa.array(contradicting)))
    return plain.filter(stays(batch.num_rows, verdicts))


def stays(num_rows: int, verdicts: Verdicts) -> pa.Array:
    """Return which rows of a batch have no verdict, as a mask."""
    return pa.array([place not in verdicts for place in range(num_rows)], type=pa.bool_())


def flip_on_purpose(batch: pa.RecordBatch, share: float, seed: int) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """Return the batch with a share of its labels reversed, and the ids of those; drawn by id, so that order does not matter."""
    names, labels = batch.column("pair_id").to_pylist(), batch.column("label").to_pylist()
    flipped = [name for name, label in zip(names, labels, strict=True) if label != "tie" and is_flipped(name, share, seed)]
    if flipped:
        chosen = set(flipped)
        changed = [_OPPOSITE[label] if name in chosen else label for name, label in zip(names, labels, strict=True)]
        batch = batch.set_column(batch.schema.get_field_index("label"), "label", pa.array(changed, type=pa.string()))
    return batch, pa.RecordBatch.from_arrays([pa.array(flipped, type=pa.string())], schema=FLIPPED_SCHEMA)


def is_flipped(pair_id: str, share: float, seed: int) -> bool:
    """Whether a pair's label is reversed on purpose. The draw is not that of the limit, or the limit would choose the flipped."""
    return share > 0 and unit_interval(f"flip:{pair_id}", seed) < share
