"""What the report reads from the workspace's tables: small counts and a few examples, streamed, never a whole pool in memory."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from goldsmith.evaluate.report import text as say
from goldsmith.evaluate.report.data import ACTIONS, Coverage, CoverageCell, Histogram, KnownNoise
from goldsmith.evaluate.report.opinions import BINS
from goldsmith.evaluate.report.pool_parts import ExamplePair
from goldsmith.identity import unit_interval
from goldsmith.store import Table, Workspace

UNKNOWN = "unknown"
"""The task of pairs without attributes."""
EXAMPLES_PER_ACTION = 2
PROMPT_CHARACTERS, REPLY_CHARACTERS = 400, 600
"""What is shown of an example."""


def has_rows(table: Table) -> bool:
    """Whether the table exists and is not empty."""
    return table.exists and table.num_rows > 0


def columns_of(table: Table) -> set[str]:
    """The table's column names; empty for a table without parts."""
    for batch in table.batches(batch_size=1):
        return set(batch.schema.names)
    return set()


def count_by(table: Table, keys: Sequence[str]) -> Counter[tuple[str, ...]]:
    """Count rows by the values of `keys`, one batch in memory at a time; null counts as `unknown`."""
    totals: Counter[tuple[str, ...]] = Counter()
    for batch in table.batches(columns=list(keys)):
        columns = [batch.column(name).to_pylist() for name in keys]
        totals.update(tuple("unknown" if value is None else str(value) for value in row) for row in zip(*columns, strict=True))
    return totals


def coverage(workspace: Workspace) -> Coverage | None:
    """The kinds of pairs in the pool, most frequent first; gold pairs from elsewhere have attributes too, and are left out."""
    table, pool = workspace.table("attributes"), workspace.table("pool")
    if not (has_rows(table) and has_rows(pool)):
        return None
    totals = _grouped(pool, table, ("task", "objectivity", "controversiality"))
    ordered = sorted(totals.items(), key=lambda item: (-item[1], item[0]))
    cells = [CoverageCell(task=t, objectivity=o, controversiality=c, num_pairs=num) for (t, o, c), num in ordered]
    return Coverage(cells=cells, num_pairs=sum(totals.values()), num_tasks=len({task for (task, _, _) in totals}))


def _grouped(pairs: Table, table: Table, keys: Sequence[str], *more: str) -> dict[tuple[str, ...], int]:
    """Count the pairs of one table by values of another (`keys`) and their own (`more`), joined by pair id in Daft."""
    import daft

    joined = pairs.to_daft().select("pair_id", *more).join(table.to_daft().select("pair_id", *keys), on="pair_id")
    grouped = joined.groupby(*keys, *more).agg(daft.col("pair_id").count().alias("pairs")).to_pylist()
    return {tuple(str(row[name]) for name in (*keys, *more)): int(row["pairs"]) for row in grouped}


def gold_dropped(workspace: Workspace) -> dict[str, int]:
    """Voted pairs that are not gold, by reason: from `gold_dropped`, or from the rounds' own tables before gold is closed."""
    tables = [table for table in workspace.tables() if re.fullmatch(r"gold_dropped_[0-9]+", table.name)]
    whole = workspace.table("gold_dropped")
    reasons: Counter[str] = Counter()
    for table in [whole] if whole.exists else tables:
        for (reason,), number in count_by(table, ["reason"]).items():
            reasons[reason] += number
    return dict(reasons)


def actions_by_task(workspace: Workspace) -> dict[str, dict[str, int]]:
    """Task to action to pairs, the most frequent tasks first, pairs without attributes last; empty when either table is missing."""
    decisions, attributes = workspace.table("decisions"), workspace.table("attributes")
    if not (has_rows(decisions) and has_rows(attributes)):
        return {}
    result: dict[str, dict[str, int]] = {}
    for (task, action), number in sorted(_grouped(decisions, attributes, ["task"], "action").items()):
        result.setdefault(task, {})[action] = number
    ordered = dict(sorted(result.items(), key=lambda item: (-sum(item[1].values()), item[0])))
    rest = count_by(decisions, ["action"])
    for counts in result.values():
        rest.subtract({(action,): number for action, number in counts.items()})
    unknown = {action: number for (action,), number in rest.items() if number > 0}
    return {**ordered, UNKNOWN: unknown} if ordered and unknown else ordered


def gold_margins(workspace: Workspace, round_number: int) -> list[dict[str, Any]]:
    """Rows (split, p) of a round's gold pairs, without the audit part, which has its own figure."""
    table = workspace.table(f"gold_margins_{round_number}")
    if not has_rows(table):
        return []
    return [row for row in table.rows(["split", "p"]) if row["p"] is not None and row["split"] != "audit"]


def histogram(values: dict[str, Sequence[float]], bins: int = BINS) -> Histogram:
    """Count p of each series in equal bins over [0, 1]; an edge's value falls into the upper bin, 1.0 into the last."""
    edges = [place / bins for place in range(bins + 1)]
    series = {}
    for name, numbers in values.items():
        counts = [0] * bins
        for p in numbers:
            counts[min(bins - 1, int(p * bins))] += 1
        series[name] = counts
    return Histogram(edges=edges, series=series)


def planted(workspace: Workspace) -> frozenset[str]:
    """The ids of pairs whose label was reversed on purpose."""
    table = workspace.table("flipped_on_purpose")
    if not has_rows(table):
        return frozenset()
    return frozenset(name for batch in table.batches(columns=["pair_id"]) for name in batch.column("pair_id").to_pylist())


def known_noise(decisions: Table, planted: Collection[str]) -> KnownNoise | None:
    """What became of labels reversed on purpose and of the others; None where none were."""
    if not (planted and has_rows(decisions)):
        return None
    fates: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
    for row in _stream(decisions, ("pair_id", "action", "label_before", "label_after")):
        fates[row["pair_id"] in planted][_fate(row)] += 1
    return KnownNoise(reversed=dict(fates[True]), untouched=dict(fates[False]))


def _fate(row: dict[str, Any]) -> str:
    if row["action"] == "drop":
        return "dropped"
    return "unchanged" if row["label_after"] == row["label_before"] else "turned"


def p_label(row: dict[str, Any]) -> float | None:
    """`p_first` on the side of the label before the decision."""
    if row["p_first"] is None or row["label_before"] not in ("first", "second"):
        return None
    return float(row["p_first"] if row["label_before"] == "first" else 1.0 - row["p_first"])


def _stream(table: Table, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    for batch in table.batches(columns=list(columns)):
        yield from batch.to_pylist()


def rows_of(table: Table, pair_ids: Collection[str], columns: Sequence[str] | None = None) -> dict[str, dict[str, Any]]:
    """The rows of a few pairs by id, in the table's order; one batch in memory at a time."""
    found = {}
    for batch in table.batches(columns=columns):
        for place, name in enumerate(batch.column("pair_id").to_pylist()):
            if name in pair_ids:
                found[name] = batch.slice(place, 1).to_pylist()[0]
    return found


def examples(workspace: Workspace) -> list[ExamplePair]:
    """A few pairs of each action, drawn by hash, shortened and cleaned; empty when a table is missing."""
    decisions, pool = workspace.table("decisions"), workspace.table("pool")
    if not (has_rows(decisions) and has_rows(pool)):
        return []
    chosen = _draw(decisions, workspace.seed)
    wanted = {row["pair_id"] for rows in chosen.values() for row in rows}
    found = rows_of(pool, wanted, ["pair_id", "context", "first", "second"])
    return [
        _example(row, found[row["pair_id"]]) for action in ACTIONS for row in chosen.get(action, []) if row["pair_id"] in found
    ]


def _draw(decisions: Table, seed: int) -> dict[str, list[dict[str, Any]]]:
    """The decisions of each action with the smallest hashes: the same ones in every run of this seed."""
    best: dict[str, list[tuple[float, dict[str, Any]]]] = {}
    for row in _stream(decisions, ("pair_id", "action", "label_before", "label_after", "p_first", "rule", "reason")):
        kept = best.setdefault(str(row["action"]), [])
        kept.append((unit_interval(f"report-example:{row['pair_id']}", seed), row))
        if len(kept) > 64:
            kept[:] = sorted(kept, key=lambda item: item[0])[:EXAMPLES_PER_ACTION]
    return {
        action: [row for _, row in sorted(kept, key=lambda item: item[0])[:EXAMPLES_PER_ACTION]] for action, kept in best.items()
    }


def _example(decision: dict[str, Any], pair: dict[str, Any]) -> ExamplePair:
    replies = (pair["first"], pair["second"])
    chosen, rejected = replies if decision["label_before"] != "second" else replies[::-1]
    return ExamplePair(
        pair_id=decision["pair_id"], action=decision["action"], rule=decision["rule"] or "", p_label=p_label(decision),
        reason=say.shorten(decision["reason"] or "", 200), prompt=say.shorten(last_turns(pair["context"]), PROMPT_CHARACTERS),
        chosen=say.shorten(chosen or "", REPLY_CHARACTERS), rejected=say.shorten(rejected or "", REPLY_CHARACTERS),
    )  # fmt: skip


def last_turns(context: str) -> str:
    """The last message of a stored context as text, with a note when there are earlier ones."""
    messages = json.loads(context)
    content = messages[-1]["content"] if messages else ""
    text = content if isinstance(content, str) else " ".join(str(part.get("text", f"[{part.get('type')}]")) for part in content)
    return text if len(messages) < 2 else f"[{len(messages) - 1} earlier messages] {text}"
