"""`goldsmith why`: the whole life of one pair, from its source line to the last decision."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel

from goldsmith.errors import UserError
from goldsmith.gold.votes import VoteStore
from goldsmith.store import Table, Workspace

WHERE_IDS_ARE = ("pool", "pool_dropped", "contradictions", "recorded_pairs", "eval_pairs")


class Event(BaseModel):
    """One thing that happened to a pair."""

    stage: str
    text: str
    record: dict[str, Any]


class Life(BaseModel):
    """A pair's events, in the order of the flow."""

    pair_id: str
    events: list[Event]


def why(workspace: Workspace, pair_id: str) -> Life:
    """Return everything the workspace knows of a pair.

    Args:
        workspace: the workspace.
        pair_id: its id, or the start of it.

    Raises:
        UserError: no pair has it, or several have this start.
    """
    name = _full_id(workspace, pair_id)
    events: list[Event] = []
    for table in sorted(workspace.tables(), key=_flow_order):
        for row in _rows_of(table, name):
            stage = _stage(table.name)
            events.append(Event(stage=stage, text=_describe(table.name, row), record=row))
    was_asked = any(event.stage in ("gold", "not gold") for event in events)
    events += _votes(workspace, name, was_asked)
    return Life(pair_id=name, events=sorted(events, key=lambda event: _place(event.stage)))


FLOW = [
    "source", "dropped", "contradiction", "noise", "evaluation", "attributes", "seed", "vote", "retrieved", "silver",
    "verdict", "judgement", "gold", "not gold", "margin", "score", "decision", "curated", "measured",
]  # fmt: skip
PREFIXES = {
    "pool_dropped": "dropped", "pool": "source", "recorded_pairs": "source", "source": "source", "rejects": "dropped", "contradictions": "contradiction",
    "flipped_on_purpose": "noise", "eval_pairs": "evaluation", "attributes": "attributes", "seed": "seed", "gold_margins": "margin",
    "gold_dropped_": "", "gold_dropped": "not gold", "gold_": "", "gold": "gold", "retrieved": "retrieved", "silver": "silver", "verdicts": "verdict",
    "judgements": "judgement", "scores": "score", "decisions": "decision", "curated": "curated", "evaluation": "measured",
}  # fmt: skip


def _stage(table: str) -> str:
    return next((stage for prefix, stage in PREFIXES.items() if table.startswith(prefix)), "")


def _place(stage: str) -> int:
    return FLOW.index(stage)


def _flow_order(table: Table) -> tuple[int, str]:
    stage = _stage(table.name)
    return (_place(stage) if stage in FLOW else len(FLOW), table.name)


def _full_id(workspace: Workspace, start: str) -> str:
    found: set[str] = set()
    for name in WHERE_IDS_ARE:
        table = workspace.table(name)
        if table.exists:
            for batch in table.batches(["pair_id"]):
                found.update(value for value in batch.column(0).to_pylist() if value.startswith(start))
    if len(found) == 1:
        return found.pop()
    if not found:
        raise UserError(
            f"pair '{start}': no pair of this workspace has an id that begins so; ids stand in `pair_id` of tables/ and in the report"
        )
    raise UserError(
        f"pair '{start}': {len(found)} pairs begin so, for example {', '.join(sorted(found)[:3])}; give more characters"
    )


def _rows_of(table: Table, pair_id: str) -> list[dict[str, Any]]:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    rows: list[dict[str, Any]] = []
    if _stage(table.name) == "":
        return rows
    for path in table.files():
        if "pair_id" in pq.read_schema(path).names:
            part = pq.read_table(path, filters=pc.field("pair_id") == pair_id)
            rows += part.to_pylist()
    return rows


def _votes(workspace: Workspace, pair_id: str, was_asked: bool) -> list[Event]:
    if not workspace.annotation_db.is_file():
        return []
    store = VoteStore(workspace.annotation_db)
    try:
        votes = store.votes_of([pair_id]).get(pair_id, [])
    finally:
        store.close()
    return [
        Event(
            stage="vote",
            text=f"{vote.round} round, {vote.annotator}: {vote.choice}"
            + (f" ({vote.rationale})" if vote.rationale else "")
            + ("" if was_asked else "; recorded, but not asked for: nothing here depends on it"),
            record=vote.model_dump(),
        )
        for vote in votes
    ]


def _describe(table: str, row: dict[str, Any]) -> str:
    stage = _stage(table)
    if stage == "source":
        return f"{row['source']} {row['source_ref']}: label {row['label']} ({row['label_origin']}); prompt {_short(_last_turn(row['context']))}"
    if stage == "dropped":
        return f"{row['reason']}" + (f": {row['detail']}" if row.get("detail") else "")
    if stage == "contradiction":
        return f"{row['source']} {row['source_ref']} says {row['label']}, and another row says the opposite"
    if stage == "noise":
        return "label reversed on purpose for this experiment"
    if stage == "evaluation":
        return f"set {row['set']}, label {row['label']}"
    if stage == "attributes":
        return f"{row['task']}, {row['objectivity']}, controversiality {row['controversiality']}; wants {row['desired'] or 'unknown'}; guideline: {row['guideline'] or 'none'}"
    if stage == "seed":
        return "selected" + (", to people" if row["to_humans"] else ", to silver")
    if stage == "retrieved":
        asked = json.loads(row["gold_ids"])
        return f"{table}: priority {row['priority']:.3f}, asked for by {len(asked)} gold pairs" + (
            ", to people" if row["to_humans"] else ""
        )
    if stage == "silver":
        return f"{table}: label {row['label']} ({row['label_origin']}), {row['origin']}"
    if stage == "gold":
        return f"label {row['label']}, {row['how']}, part {row['split']}, batch {row['batch']}"
    if stage == "margin":
        return f"{table}: p of the human label {row['p']:.3f}"
    if stage == "score":
        fold = "whole model" if row["fold"] is None else f"fold {row['fold']} held out"
        return f"{table}: first {row['first']:.3f}, second {row['second']:.3f} ({fold})"
    if stage == "decision":
        return f"{row['action']} by {row['rule']}: {row['label_before']} -> {row['label_after']}; {row['reason']}"
    if stage == "curated":
        return f"in the curated set with label {row['label']} ({row['label_origin']})"
    if stage == "measured":
        return f"{row['set']}, {row['model']}: margin {row['margin']:.3f}, {'right' if row['correct'] else 'wrong'}"
    return ", ".join(f"{name} {value}" for name, value in row.items() if name != "pair_id" and value is not None)


def _last_turn(context: str) -> str:
    content = json.loads(context)[-1]["content"]
    return content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)


def _short(text: str, limit: int = 70) -> str:
    flat = " ".join(text.split())
    return repr(flat if len(flat) <= limit else flat[: limit - 1] + "…")
