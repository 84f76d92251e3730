"""What a run reads from outside: sources of the pool, evaluation sets, recorded votes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa

from goldsmith.config.evaluate import EvalSetConfig
from goldsmith.curate.context import Context
from goldsmith.errors import UserError
from goldsmith.gold.exchange import read_votes
from goldsmith.gold.exchange.brought import TABLE as IMPORTED
from goldsmith.gold.room import open_votes
from goldsmith.identity import unit_interval
from goldsmith.store import Counts, Workspace, from_row, pair_schema, to_row
from goldsmith.types import Pair

EVAL_SCHEMA = pair_schema(("set", pa.string()))
HELD_OUT = "held-out"


def add_sources(context: Context, fingerprint: str) -> dict[str, Any]:
    """Add the configured sources, and check that the pool has any; what was added before is not added again."""
    from goldsmith.pool.build import raw_tables
    from goldsmith.pool.ingest import add

    inputs = [_input(context, source) for source in context.config.pool.sources]
    if inputs:
        add(context.workspace, inputs, progress=context.progress)
    tables = raw_tables(context.workspace)
    num_pairs = sum(table.num_rows for table in tables)
    if num_pairs == 0:
        raise UserError(
            f"{context.workspace.root}: the pool is empty; add pairs with `goldsmith pool add FILE`, or name files in pool.sources"
        )
    counts = [table.manifest.counts for table in tables]
    total = sum(count.total for count in counts if count)
    dropped: dict[str, int] = {}
    for count in counts:
        for reason, number in (count.dropped if count else {}).items():
            dropped[reason] = dropped.get(reason, 0) + number
    return {"counts": {"total": total, "kept": num_pairs, "dropped": dropped, "failed": {}}, "sources": len(tables)}


def source_fingerprints(context: Context) -> Any:
    """What the pool depends on besides configuration: every source's table."""
    from goldsmith.pool.build import raw_tables

    return sorted(table.fingerprint for table in raw_tables(context.workspace))


def read_evaluation_sets(context: Context, fingerprint: str) -> dict[str, Any]:
    """Read the evaluation sets and draw the held-out contexts, before any noise is added; ties are counted and left out."""
    rows, facts = [], {}
    for settings in context.config.evaluate.sets:
        pairs, fates = _read_set(context, settings)
        rows += [{**to_row(pair), "set": settings.name} for pair in pairs]
        facts[settings.name] = fates
    if context.config.evaluate.holdout_contexts:
        held_out = _draw_held_out(context)
        rows += [{**row, "set": HELD_OUT} for row in held_out]
        facts[HELD_OUT] = {"total": len(held_out), "kept": len(held_out), "dropped": {}, "failed": {}}
    with context.workspace.writer("eval_pairs", step="evaluation-sets", fingerprint=fingerprint) as out:
        out.write_rows(rows, EVAL_SCHEMA)
    return {"sets": facts}


def read_recorded_votes(context: Context, fingerprint: str) -> dict[str, Any]:
    """Store recorded votes; pairs that come with them, or came with an import, become a table, as they need not be in the pool."""
    pairs = imported_pairs(context.workspace)
    facts: dict[str, Any] = {}
    store = open_votes(context.workspace)
    try:
        for name in context.config.gold.recorded_votes:
            path = context.path(name)
            found = read_votes(path)
            store.add(found.votes, recorded=True)
            distinct = {pair.pair_id: pair for pair in found.pairs}
            brought = _limited(distinct.values(), context.config.gold.recorded_limit, context.seed)
            pairs |= {pair.pair_id: pair for pair in brought}
            facts[path.name] = {
                "rows": found.num_rows,
                "votes": len(found.votes),
                "pairs": len(brought),
                "same_pair_again": len(found.pairs) - len(distinct),
                "dropped": found.dropped,
            }
    finally:
        store.close()
    with context.workspace.writer("recorded_pairs", step="votes", fingerprint=fingerprint) as out:
        out.write_rows([to_row(pairs[name]) for name in sorted(pairs)], pair_schema())
    return {"files": facts}


def imported_pairs(workspace: Workspace) -> dict[str, Pair]:
    """Return the pairs that `goldsmith votes import` brought along, by id."""
    table = workspace.table(IMPORTED)
    return {row["pair_id"]: from_row(row) for row in table.rows()} if table.exists else {}


def _input(context: Context, text: str) -> str:
    return text if text.startswith("hf:") else str(context.path(text))


def _read_set(context: Context, settings: EvalSetConfig) -> tuple[list[Pair], dict[str, Any]]:
    from goldsmith.pool.sources import Rejected, read_pairs

    kept: dict[str, Pair] = {}
    total, dropped = 0, {"tie": 0, "duplicate": 0, "over-limit": 0}
    for item in read_pairs(_input(context, settings.path)):
        total += 1
        if isinstance(item, Rejected):
            dropped[item.reason] = dropped.get(item.reason, 0) + 1
        elif item.label == "tie":
            dropped["tie"] += 1
        elif item.pair_id in kept:
            dropped["duplicate"] += 1
        else:
            kept[item.pair_id] = item
    pairs = _limited(kept.values(), settings.limit, context.seed)
    dropped["over-limit"] = len(kept) - len(pairs)
    if not pairs:
        raise UserError(
            f"evaluate.sets '{settings.name}': no usable pair in {settings.path} ({total} rows read); check the file or remove the set"
        )
    counts = Counts(total=total, kept=len(pairs), dropped={reason: number for reason, number in dropped.items() if number})
    counts.check(f"evaluation set {settings.name}")
    return pairs, counts.model_dump()


def _limited(pairs: Iterable[Pair], limit: int | None, seed: int) -> list[Pair]:
    """Whole contexts, drawn by hash, until the limit; the last context may be cut."""
    ordered = sorted(pairs, key=lambda pair: (unit_interval(pair.context_id, seed), pair.pair_id))
    return ordered[:limit]


def _draw_held_out(context: Context) -> list[dict[str, Any]]:
    """Rows of the contexts with the smallest hashes, pairs drawn evenly over them, ties and contradictions left out."""
    from goldsmith.pool.build import raw_tables

    settings = context.config.evaluate
    wanted = held_out_contexts(context)
    labels: dict[str, set[str]] = {}
    rows: dict[str, dict[str, Any]] = {}
    for table in raw_tables(context.workspace):
        for row in _rows_of(table.batches(), wanted):
            labels.setdefault(row["pair_id"], set()).add(row["label"])
            rows.setdefault(row["pair_id"], {name: row[name] for name in pair_schema().names})
    clean = [row for name, row in rows.items() if len(labels[name]) == 1 and row["label"] != "tie"]
    clean.sort(key=lambda row: unit_interval(row["pair_id"], context.seed))
    return sorted(clean[: settings.holdout_pairs], key=lambda row: str(row["pair_id"]))


def held_out_contexts(context: Context) -> set[str]:
    """Return the ids of the contexts that are held out of the pool for evaluation."""
    from goldsmith.pool.build import raw_tables

    names: set[str] = set()
    for table in raw_tables(context.workspace):
        for batch in table.batches(["context_id"]):
            names.update(batch.column(0).to_pylist())
    ordered = sorted(names, key=lambda name: (unit_interval(f"held-out:{name}", context.seed), name))
    return set(ordered[: context.config.evaluate.holdout_contexts])


def _rows_of(batches: Iterator[Any], contexts: set[str]) -> Iterator[dict[str, Any]]:
    for batch in batches:
        for row in batch.to_pylist():
            if row["context_id"] in contexts:
                yield row
