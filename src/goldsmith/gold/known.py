"""Pairs whose answer is known, for the qualification of new annotators and for hidden checks."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa

from goldsmith.errors import DataError
from goldsmith.gold import events
from goldsmith.gold.exchange import json_lines
from goldsmith.gold.room import Room
from goldsmith.gold.schema import CHECK_ITEMS
from goldsmith.identity import canonical_json, unit_interval
from goldsmith.pool.sources.draft import Reject, messages
from goldsmith.types import Pair


def add_known(room: Room, path: Path, use: Literal["qualify", "check"], actor: str = events.SYSTEM) -> dict[str, int]:
    """Take pairs with a known answer from a file and return {"rows", "new"}; a pair that is there already is left alone.

    A line holds `prompt` (messages), `chosen` and `rejected`, and optionally `tie` (neither is better), `rationale` (shown after a qualification vote) and
    `task`.

    Args:
        room: the room.
        path: JSON lines, `.gz` allowed.
        use: `qualify`: shown to new annotators, who are told the answer; `check`: hidden among ordinary pairs.
        actor: who adds them.

    Raises:
        DataError: a row that is no such pair; names file:line.
    """
    rows = [_row(room, place, row, use) for place, row in json_lines(path)]
    with room.database.write() as connection:
        there = set(connection.execute(sa.select(CHECK_ITEMS.c.pair_id)).scalars())
        new = list({row["pair_id"]: row for row in rows if row["pair_id"] not in there}.values())
        if new:
            connection.execute(CHECK_ITEMS.insert(), new)
        events.record(connection, room.clock(), actor, "known.added", use, rows=len(rows), new=len(new), file=path.name)
    return {"rows": len(rows), "new": len(new)}


def _row(room: Room, place: str, row: dict[str, Any], use: str) -> dict[str, Any]:
    chosen, rejected = row.get("chosen"), row.get("rejected")
    if not (isinstance(chosen, str) and isinstance(rejected, str) and chosen.strip() and rejected.strip() and chosen != rejected):
        raise DataError(
            f"{place}: a pair with a known answer needs prompt (messages) and two different replies, chosen and rejected (strings)"
        )
    try:
        pair = Pair.from_replies(messages(row.get("prompt")), chosen, rejected, tie=bool(row.get("tie")))
    except Reject as reject:
        raise DataError(f"{place}: prompt: {reject}") from None
    return {
        "pair_id": pair.pair_id,
        "record": canonical_json({"pair_id": pair.pair_id, "context": pair.messages, "first": pair.first, "second": pair.second}),
        "attributes": canonical_json({"task": str(row["task"])}) if row.get("task") else None,
        "label": pair.label,
        "rationale": str(row.get("rationale", "")),
        "use": use,
        "draw": unit_interval(f"known:{pair.pair_id}", room.seed),
    }
