"""Pool and gold pairs as points in the embedding space of `(context, attributes)` (spec 4.2)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from typing import Any

import numpy as np

from goldsmith.curate.context import Context
from goldsmith.curate.proven import SCHEMA, TABLE, Proven, read_proven
from goldsmith.retrieve.index import ExactIndex, Index, Vectors, build_index, measured_recall
from goldsmith.retrieve.text import pair_text
from goldsmith.types import Attributes, Message

RECALL_QUERIES = 100
"""Gold pairs on which an approximate index is measured, at most."""


def label_all(context: Context, fingerprint: str) -> dict[str, Any]:
    """Write the tables `attributes`, of the pool and of pairs that recorded votes brought along, and `attribute_quality`."""
    from goldsmith.attributes.measure import measure_sources, settings_for
    from goldsmith.attributes.run import label_attributes
    from goldsmith.store import from_row
    from goldsmith.store.pairs import pair_schema

    names = pair_schema().names
    rows = {row["pair_id"]: row for name in ("recorded_pairs", "pool") for row in context.workspace.table(name).rows(names)}
    pairs = [from_row(rows[name]) for name in sorted(rows)]
    settings, progress = context.config.attributes, context.progress.update
    quality = measure_sources(
        settings,
        context.llm,
        context.embedder,
        context.taxonomy,
        context.seed,
        lambda done, total: progress(done, total, "measured"),
    )
    found, facts = label_attributes(
        pairs,
        settings_for(settings, quality),
        context.llm,
        context.embedder,
        context.taxonomy,
        context.seed,
        lambda done, total: progress(done, total, "pairs"),
        by_task=any(row.used for row in quality if (row.source, row.attribute) == ("classifier", "task")),
    )
    facts["quality"] = [asdict(row) for row in quality]
    with context.workspace.writer("attributes", step="attributes", fingerprint=fingerprint) as out:
        out.write_rows([item.model_dump() for item in found], ATTRIBUTE_SCHEMA)
    with context.workspace.writer(TABLE, step="attributes", fingerprint=fingerprint) as out:
        out.write_rows(facts["quality"], SCHEMA)
    return facts


def read_attributes(context: Context) -> dict[str, Attributes]:
    """Return the attributes of every pair by its id."""
    return attributes_of({row["pair_id"]: row for row in context.workspace.table("attributes").rows()})


def attributes_of(rows: Mapping[str, dict[str, Any]]) -> dict[str, Attributes]:
    """Return the attributes of stored rows by pair id."""
    found = {}
    for name, row in rows.items():
        desired = json.loads(row["desired"]) if row["desired"] else None
        row = {**row, "desired": desired, "made_by": json.loads(row["made_by"]), "confidence": json.loads(row["confidence"])}
        found[name] = Attributes.model_validate(row)
    return found


class SimilarPairs:
    """Vectors of pool and gold pairs, and the pool's index."""

    def __init__(self, context: Context) -> None:
        rows = context.workspace.table("pool").rows(["pair_id", "context_id", "context"])
        self.pool_ids = [row["pair_id"] for row in rows]
        self.pool_contexts = [row["context_id"] for row in rows]
        more = context.workspace.table("recorded_pairs").rows(["pair_id", "context"])
        contexts = {row["pair_id"]: row["context"] for row in [*rows, *more]}
        ids = sorted(contexts)
        attributes, proven = read_attributes(context), read_proven(context)
        texts = [embedded_text(contexts[name], attributes.get(name), proven) for name in ids]
        embedded = context.embedder.embed(texts, lambda done, total: context.progress.update(done, total, "texts embedded"))
        self.truncated = embedded.truncated
        self._vectors = embedded.vectors
        self._place = {name: place for place, name in enumerate(ids)}
        self._context = context

    @cached_property
    def index(self) -> Index:
        """The index over the pool, exact or approximate by the pool's size."""
        return build_index(self.pool_ids, self.vectors_of(self.pool_ids), exact_below=self._context.config.retrieve.exact_below)

    def recall(self, queries: Vectors, k: int) -> float | None:
        """Return the share of the exact k nearest that the index finds for (some of) the queries; None for an exact index."""
        if isinstance(self.index, ExactIndex) or not len(queries):
            return None
        step = -(-len(queries) // RECALL_QUERIES)
        return measured_recall(self.index, ExactIndex(self.pool_ids, self.vectors_of(self.pool_ids)), queries[::step], k)

    def vectors_of(self, pair_ids: Sequence[str]) -> Vectors:
        """Return the vectors of pairs, float32 [N, D]."""
        places = np.array([self._place[name] for name in pair_ids], dtype=np.intp)
        return self._vectors[places]


def embedded_text(context: str, attributes: Attributes | None, proven: Proven) -> str:
    """Return the text that stands for a stored context and its attributes in the embedding space."""
    turns = [Message.model_validate(turn) for turn in json.loads(context)]
    return pair_text(turns, attributes, proven.leave_out(attributes.made_by) if attributes else ())


def _attribute_schema() -> Any:
    import pyarrow as pa

    return pa.schema(
        [
            (name, pa.string())
            for name in ("pair_id", "task", "objectivity", "controversiality", "desired", "guideline", "made_by", "confidence")
        ]
    )


ATTRIBUTE_SCHEMA = _attribute_schema()
