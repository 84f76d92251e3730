"""`goldsmith why`: the whole life of one pair, from its source line to the last decision."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from goldsmith.curate.sentences import describe
from goldsmith.errors import UserError
from goldsmith.gold.room import has_votes, open_votes
from goldsmith.store import Table, Workspace

WHERE_IDS_ARE = ("pool", "pool_dropped", "contradictions", "recorded_pairs", "imported_pairs", "eval_pairs")


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
            events.append(Event(stage=stage, text=describe(stage, table.name, row), record=row))
    was_asked = any(event.stage in ("gold", "not gold") for event in events)
    events += _votes(workspace, name, was_asked)
    return Life(pair_id=name, events=sorted(events, key=lambda event: _place(event.stage)))


FLOW = [
    "source", "dropped", "contradiction", "noise", "near", "evaluation", "attributes", "seed", "check", "vote", "retrieved", "silver",
    "verdict", "judgement", "gold", "not gold", "margin", "score", "decision", "curated", "measured",
]  # fmt: skip
PREFIXES = {
    "pool_dropped": "dropped", "pool": "source", "recorded_pairs": "source", "imported_pairs": "source", "source": "source", "rejects": "dropped", "contradictions": "contradiction",
    "flipped_on_purpose": "noise", "near_duplicates": "near", "eval_pairs": "evaluation", "attributes": "attributes", "seed": "seed", "reply_checks": "check", "gold_margins": "margin",
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
    if not has_votes(workspace):
        return []
    store = open_votes(workspace)
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
