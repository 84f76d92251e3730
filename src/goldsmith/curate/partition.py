"""One partition of stage 2: row groups of the pool with their scores and opinions in, decisions and curated pairs out.

Runs in a worker process or on a cluster. A partition is done when its result file exists, which is written last; a run that is cut off
does only what is not done.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from goldsmith.config.curate import CurateConfig
from goldsmith.curate import decide as rules
from goldsmith.curate.decide import ACTIONS, HUMAN, MADE_BY, REASONS, Decided, decide
from goldsmith.curate.evidence import NONE, TIE, Evidence, codes, from_margins, on_side
from goldsmith.curate.follows_length import LengthSums
from goldsmith.curate.stack import Stack
from goldsmith.curate.surface import Surface, surface
from goldsmith.errors import DataError
from goldsmith.store import atomic
from goldsmith.store.engine import Chunk
from goldsmith.store.pairs import PAIR_COLUMNS, pair_schema

if TYPE_CHECKING:
    from goldsmith.curate.evidence import Floats

TEXT = pa.string()
DECISION_SCHEMA = pa.schema(
    [(name, TEXT) for name in ("pair_id", "action", "label_before", "label_after", "rule", "judges", "reason")]
    + [("p_first", pa.float64()), ("p_sources", pa.float64()), ("p_trusted", pa.float64())]
)
CURATED_SCHEMA = pair_schema(("action", TEXT))
CLOSED = "gold-validation-or-audit-context"
BINS = 20
ROWS = 65_536
"""Rows of a partition, about: whole row groups of the pool."""


def decide_partition(chunk: Chunk) -> Chunk:
    """Decide a partition's pairs, write `decisions-*.parquet`, `curated-*.parquet` and last `result-*.json`, and return the result.

    Args:
        chunk: {number, out, pool, groups, start, rows, scores: {best, gold, perhaps joint: [paths]}, opinions, shared}; `start` is the place of the
            partition's first row in the pool, which the rows of the score tables follow.

    Raises:
        DataError: the score tables are not of this pool, in its order.
    """
    shared = json.loads(Path(chunk["shared"]).read_text(encoding="utf-8"))
    config = CurateConfig.model_validate(shared["config"])
    pairs = pq.ParquetFile(chunk["pool"]).read_row_groups(chunk["groups"], columns=list(PAIR_COLUMNS))
    ids = pairs["pair_id"].to_pylist()
    margins = {name: _margins(paths, chunk["start"], ids, name) for name, paths in chunk["scores"].items()}
    stack = Stack.from_dict(shared["stack"]) if shared["stack"] else None
    differs = surface(pairs["first"], pairs["second"], formats=stack is not None)
    known = _evidence(pairs, ids, margins, differs, json.loads(Path(chunk["opinions"]).read_text(encoding="utf-8")), stack)
    decided = decide(known, config, stack.bars if stack else None, gold_stands=shared["gold_stands"])
    out, name = Path(chunk["out"]), f"{chunk['number']:06d}"
    write_part(out / f"decisions-{name}.parquet", decision_table(ids, known, decided))
    curated, dropped = _curated(pairs, known, decided, set(shared["closed"]))
    write_part(out / f"curated-{name}.parquet", curated)
    result = _counts(known, decided) | {
        "rows": len(ids),
        "kept": curated.num_rows,
        "dropped": dict(dropped),
        "length": {model: LengthSums.of(margins[model], differs.length).to_dict() for model in margins},
    }
    atomic.write_json(out / f"result-{name}.json", result)
    return result


def decision_table(ids: Sequence[str], known: Evidence, decided: Decided) -> pa.Table:
    """Return the rows of the table `decisions`."""
    said = known.sources
    columns = {
        "pair_id": pa.array(ids, TEXT),
        "action": _named(decided.action, ACTIONS),
        "label_before": pa.array(rules.labels(known.label), TEXT),
        "label_after": pa.array(rules.labels(decided.label_after), TEXT),
        "rule": _named(decided.rule, decided.rules),
        "judges": pa.array(_judges(known), TEXT),
        "reason": _named(decided.reason, REASONS),
        "p_first": pa.array(decided.p_first),
        "p_sources": _column(None if said is None else said.together, len(ids)),
        "p_trusted": _column(None if said is None else said.trusted, len(ids)),
    }
    return pa.table(columns, schema=DECISION_SCHEMA)


def _column(values: Floats | None, count: int) -> pa.Array:
    """Probabilities, NaN as null; all null where there are none."""
    return pa.nulls(count, pa.float64()) if values is None else pa.array(values, from_pandas=True)


def write_part(path: Path, table: pa.Table) -> None:
    """Write a Parquet file that is whole or absent."""
    temporary = path.with_name(f"{atomic.TEMPORARY}{path.name}")
    with atomic.explained(path):
        pq.write_table(table, temporary, compression="zstd", compression_level=1)
        temporary.replace(path)


def _margins(paths: Sequence[str], start: int, ids: list[str], name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The rewards' differences of the rows `start` on, read from the files that hold them."""
    stop, seen, found = start + len(ids), 0, []
    for path in paths:
        rows = pq.read_metadata(path).num_rows
        if seen < stop and seen + rows > start:
            part = pq.read_table(path, columns=["pair_id", "first", "second"])
            found.append(part.slice(max(0, start - seen), min(rows, stop - seen) - max(0, start - seen)))
        seen += rows
    table = pa.concat_tables(found) if found else None
    if table is None or table["pair_id"].to_pylist() != ids:
        raise DataError(
            f"table scores_{name}: its rows are not those of the pool, in the pool's order; remove steps/scores.json and run again"
        )
    return np.asarray(table["first"].to_numpy() - table["second"].to_numpy(), dtype=np.float64)


def _evidence(
    pairs: pa.Table,
    ids: list[str],
    margins: dict[str, Any],
    differs: Surface,
    opinions: dict[str, list[Any]],
    stack: Stack | None,
) -> Evidence:
    judged, judged_p = np.full(len(ids), NONE, dtype=np.int8), np.full(len(ids), np.nan)
    human = np.full(len(ids), NONE, dtype=np.int8)
    if opinions:
        place = {name: at for at, name in enumerate(ids) if name in opinions}
        for name, (choice, p_first, gold) in opinions.items():
            at = place[name]
            judged[at], human[at] = codes([choice])[0], codes([gold])[0]
            judged_p[at] = np.nan if p_first is None else p_first
    label = codes(pairs["label"].to_pylist())
    known = Evidence(
        label=label,
        best=from_margins(margins["best"]),
        gold=from_margins(margins["gold"]),
        judged=judged,
        judged_p=judged_p,
        human=human,
    )
    if stack is None:
        return known
    p_first = stack.p_first(label, margins.get("joint", margins["best"]), margins["gold"], judged_p, differs)
    return replace(known, stack=p_first, sources=stack.said(label, judged_p, differs))


def _curated(pairs: pa.Table, known: Evidence, decided: Decided, closed: set[str]) -> tuple[pa.Table, Counter[str]]:
    """The pairs that stay, under their label, and why the others do not; never a context of gold validation or audit."""
    is_closed = np.array([name in closed for name in pairs["context_id"].to_pylist()], dtype=bool)
    is_dropped = ~is_closed & (decided.action == ACTIONS.index("drop"))
    dropped: Counter[str] = Counter()
    if is_closed.any():
        dropped[CLOSED] = int(is_closed.sum())
    for reason, number in zip(*np.unique(decided.reason[is_dropped], return_counts=True), strict=True):
        dropped[REASONS[reason]] += int(number)
    stays = np.flatnonzero(~is_closed & ~is_dropped)
    rows = pairs.take(stays)
    action = decided.action[stays]
    origins = np.array(rows["label_origin"].to_pylist(), dtype=object)
    for name, origin in MADE_BY.items():
        origins = np.where(action == ACTIONS.index(name), origin, origins)
    origins = np.where(decided.rule[stays] == decided.rules.index(HUMAN), "human", origins)
    rows = rows.set_column(
        rows.schema.get_field_index("label"), "label", pa.array(rules.labels(decided.label_after[stays]), TEXT)
    )
    rows = rows.set_column(rows.schema.get_field_index("label_origin"), "label_origin", pa.array(origins.tolist(), TEXT))
    rows = rows.append_column("action", _named(action, ACTIONS))
    return rows.cast(CURATED_SCHEMA), dropped


def _counts(known: Evidence, decided: Decided) -> dict[str, Any]:
    action, rule, reason = (values.tolist() for values in (decided.action, decided.rule, decided.reason))
    with_label = known.label != TIE
    histogram, _ = np.histogram(on_side(known.best, known.label)[with_label], bins=BINS, range=(0.0, 1.0))
    return {
        "by_action": dict(Counter(ACTIONS[code] for code in action)),
        "by_rule": dict(Counter(decided.rules[code] for code in rule)),
        "by_reason": dict(Counter(f"{ACTIONS[one]}: {REASONS[other]}" for one, other in zip(action, reason, strict=True))),
        "histogram": histogram.tolist(),
    }


def _judges(known: Evidence) -> list[str]:
    """What each judge said, as JSON, keys in order."""
    more: list[Any] = [None] * len(known) if known.stack is None else known.stack.tolist()
    columns = zip(
        known.best.tolist(), known.gold.tolist(), rules.labels(known.judged), known.judged_p.tolist(), rules.labels(known.human), more,
        strict=True,
    )  # fmt: skip
    dumped = orjson.dumps
    return [
        dumped({"best": best, "gold": gold, "human": human, "llm": llm, "llm_p_first": told, "stack": stack}).decode()
        for best, gold, llm, told, human, stack in columns
    ]


def _named(values: Any, names: Sequence[str]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(values, pa.int8()), pa.array(names, TEXT)).cast(TEXT)
