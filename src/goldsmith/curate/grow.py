"""A batch whose first-round agreement the gate cannot decide grows: more of the same kind of pairs go to people, up to a bound.

Which ones follows from the tables alone: the next of the seed's order, or of the retrieval's. Which were asked for stands in the room's log of events, beside
the votes, so that a run that is begun anew asks for the same.
"""

from __future__ import annotations

import math
from typing import Any

from goldsmith.curate.context import Context
from goldsmith.curate.seed import human_part
from goldsmith.gold import events
from goldsmith.gold.room import Room, has_votes, open_room

GROWN = "batch.grown"
STEP_SHARE = 0.5
"""Of the budget, asked for at once."""


def asking_table(round_number: int) -> str:
    """Return the table that says which pairs of a round go to people."""
    return "seed" if round_number == 0 else f"retrieved_{round_number}"


def batch_name(round_number: int) -> str:
    """Return the name that a round's pairs have in the room."""
    return "seed" if round_number == 0 else f"round-{round_number}"


def asked_ids(context: Context, round_number: int) -> list[str]:
    """Return the pairs that people are asked about in a round, the most urgent first, with those that were asked for later."""
    rows = context.workspace.table(asking_table(round_number)).rows(["pair_id", "to_humans"])
    first = [row["pair_id"] for row in rows if row["to_humans"]]
    there = {row["pair_id"] for row in rows} - set(first)
    return [*first, *(name for name in _grown(context, round_number) if name in there)]


def grow(context: Context, room: Room, round_number: int) -> list[str]:
    """Ask for more pairs of a round and return their ids; none when the bound is reached or nothing is left."""
    config = context.config.gold
    budget = config.seed_budget if round_number == 0 else config.human_budget
    asked = asked_ids(context, round_number)
    most = min(math.floor(budget * config.undecided_max_growth), len(asked) + math.ceil(budget * STEP_SHARE))
    chosen = _next(context, round_number, set(asked), most - len(asked))
    if chosen:
        with room.database.write() as connection:
            events.record(connection, room.clock(), events.SYSTEM, GROWN, batch_name(round_number), pairs=chosen)
    return chosen


def _next(context: Context, round_number: int, asked: set[str], count: int) -> list[str]:
    """The next pairs in the table's order; of the seed one a context first, as gold is split by context."""
    table = context.workspace.table(asking_table(round_number))
    if count <= 0:
        return []
    if round_number:
        return [row["pair_id"] for row in table.rows(["pair_id"]) if row["pair_id"] not in asked][:count]
    rows = table.rows(["pair_id", "context_id"])
    wanted = human_part(rows, len(asked) + count) | asked
    return [row["pair_id"] for row in rows if row["pair_id"] in wanted and row["pair_id"] not in asked][:count]


def _grown(context: Context, round_number: int) -> list[str]:
    if not has_votes(context.workspace):
        return []
    room = open_room(context.workspace)
    try:
        with room.database.read() as connection:
            found: list[dict[str, Any]] = events.events_of(connection, subject=batch_name(round_number), kind=GROWN, limit=1000)
    finally:
        room.close()
    return list(dict.fromkeys(name for event in reversed(found) for name in event["data"]["pairs"]))
