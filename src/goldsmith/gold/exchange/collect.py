"""What a workspace has to exchange: the pairs people are asked about or have voted on, their votes, and what models suggest."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import sqlalchemy as sa

from goldsmith.gold.exchange.item import Item, Suggestion, bare
from goldsmith.gold.room import Room
from goldsmith.gold.schema import CHECK_ITEMS, PAIR_STATES, QUEUE, VOTES
from goldsmith.gold.votes import votes_in
from goldsmith.store import PAIR_COLUMNS, Table, Workspace, from_row
from goldsmith.types import Pair

Which = Literal["all", "open", "voted"]
PAIR_TABLES = ("imported_pairs", "recorded_pairs", "pool")
MODELS = {"scores_best": "best-rm", "scores_gold": "gold-rm"}
JUDGES = "judges"


def collect(workspace: Workspace, room: Room, which: Which, *, suggestions: bool) -> tuple[list[Item], int]:
    """Return the items of a workspace in the queue's order, and how many votes are on pairs whose texts are nowhere.

    Args:
        workspace: the workspace.
        room: its room, open.
        which: `all`: asked about or voted on; `open`: waiting for first votes; `voted`: with a vote.
        suggestions: whether to add what judges and reward models say.
    """
    with room.database.read() as connection:
        queued = _queued(connection, which)
        voted = set() if which == "open" else _voted(connection)
        names = [name for name in queued if which != "voted" or name in voted] + sorted(voted - queued.keys())
        votes = votes_in(connection, names)
        known = queued | _known_answers(connection)
    found = {name: known[name] for name in names if name in known}
    pairs = {name: pair for name, (pair, _) in found.items()} | _pairs_of(workspace, set(names) - found.keys())
    said = suggestions_of(workspace, set(pairs)) if suggestions else {}
    items = [
        Item(
            pair_id=name,
            pair=pairs[name],
            votes=tuple(votes.get(name, ())),
            suggestions=tuple(said.get(name, ())),
            attributes=found[name][1] if name in found else None,
        )
        for name in names
        if name in pairs
    ]
    return items, sum(len(votes.get(name, ())) for name in names if name not in pairs)


def suggestions_of(workspace: Workspace, names: set[str]) -> dict[str, list[Suggestion]]:
    """Return what the judges of the last stage, the best and the gold reward model say of pairs, in this order."""
    found: dict[str, list[Suggestion]] = {}
    judged: dict[str, Suggestion] = {}
    for table in sorted((t for t in workspace.tables() if t.name.startswith("judgements_")), key=_made):
        for row in _rows(table, ("pair_id", "choice", "p_first"), names):
            if row["choice"] in ("first", "second", "tie"):
                judged[row["pair_id"]] = Suggestion(model=JUDGES, choice=row["choice"], p_first=row["p_first"])
    for name, suggestion in judged.items():
        found.setdefault(name, []).append(suggestion)
    for table_name, model in MODELS.items():
        for row in _rows(workspace.table(table_name), ("pair_id", "first", "second"), names):
            margin = row["first"] - row["second"]
            if math.isfinite(margin):
                choice: Literal["first", "second", "tie"] = "tie" if margin == 0 else ("first" if margin > 0 else "second")
                found.setdefault(row["pair_id"], []).append(Suggestion(model=model, choice=choice, margin=margin))
    return found


def _queued(connection: sa.Connection, which: Which) -> dict[str, tuple[Pair, dict[str, Any] | None]]:
    query = sa.select(QUEUE.c.record, QUEUE.c.attributes).join(PAIR_STATES, PAIR_STATES.c.pair_id == QUEUE.c.pair_id)
    if which == "open":
        query = query.where(PAIR_STATES.c.state == "open")
    return _texts(connection.execute(query.order_by(PAIR_STATES.c.rank)).all())


def _known_answers(connection: sa.Connection) -> dict[str, tuple[Pair, dict[str, Any] | None]]:
    """Pairs with a known answer, on which there are votes too."""
    return _texts(connection.execute(sa.select(CHECK_ITEMS.c.record, CHECK_ITEMS.c.attributes)).all())


def _texts(rows: Sequence[Any]) -> dict[str, tuple[Pair, dict[str, Any] | None]]:
    found = {}
    for record, attributes in rows:
        item = json.loads(record)
        if {"context", "first", "second"} <= item.keys():
            texts = {name: item[name] for name in ("pair_id", "context", "first", "second")}
            found[item["pair_id"]] = (Pair(**texts, label="tie"), json.loads(attributes) if attributes else None)
    return found


def _voted(connection: sa.Connection) -> set[str]:
    return set(connection.execute(sa.select(VOTES.c.pair_id).where(VOTES.c.withdrawn_at.is_(None)).distinct()).scalars())


def _pairs_of(workspace: Workspace, names: set[str]) -> dict[str, Pair]:
    found: dict[str, Pair] = {}
    for table in PAIR_TABLES:
        missing = names - found.keys()
        found |= {row["pair_id"]: bare(from_row(row)) for row in _rows(workspace.table(table), PAIR_COLUMNS, missing)}
    return found


def _rows(table: Table, columns: Sequence[str], names: set[str]) -> Iterable[dict[str, Any]]:
    """Rows of some pairs; the table is read batch by batch, and only ids of the others become Python."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not names or not table.exists:
        return
    wanted = pa.array(sorted(names), pa.string())
    for batch in table.batches(columns):
        kept = batch.filter(pc.is_in(batch.column("pair_id"), value_set=wanted))
        yield from kept.to_pylist()


def _made(table: Table) -> str:
    return table.manifest.created
