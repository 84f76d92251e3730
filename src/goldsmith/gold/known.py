"""Pairs whose answer is known, for the qualification of new annotators and for hidden checks.

A hidden check is only handed out in place of a pair that has the same things beside it (`Material.look`), so that nobody knows it by what is missing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, get_args

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, ValidationError

from goldsmith.errors import DataError
from goldsmith.gold import events
from goldsmith.gold.batches import batches
from goldsmith.gold.exchange import json_lines
from goldsmith.gold.leases import Material, material_of_queue
from goldsmith.gold.room import Room
from goldsmith.gold.schema import CHECK_ITEMS, PAIR_STATES
from goldsmith.identity import canonical_json, unit_interval
from goldsmith.pool.sources.draft import Reject, messages
from goldsmith.types import Attributes, Pair

ATTRIBUTES = ("task", "objectivity", "controversiality", "desired", "guideline")
CLOSED = {name: get_args(Attributes.model_fields[name].annotation) for name in ("objectivity", "controversiality")}
"""Attributes that have few values, and which."""


class ReplyCheck(BaseModel):
    """What one model said of one reply."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    outcome: Literal["correct", "incorrect", "cannot-tell"]
    reason: str = ""


def add_known(room: Room, path: Path, use: Literal["qualify", "check"], actor: str = events.SYSTEM) -> dict[str, int]:
    """Take pairs with a known answer from a file and return {"rows", "new"}; a pair that is there already is left alone.

    A line holds `prompt` (messages), `chosen` and `rejected`, and optionally `tie` (neither is better), `rationale` (shown after a qualification vote), the
    five attributes, and `checks` (what models said of each reply: `chosen` and `rejected`, each a list of `model`, `outcome`, `reason`).

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


def add_settled(room: Room, count: int, actor: str = events.SYSTEM) -> dict[str, int]:
    """Make at most `count` pairs that the room has settled into hidden checks, and return {"rows", "new"}; they look like all others, as they are of them.

    They come from batches whose gate has passed, those that experts decided and those that were unanimous, drawn by their id; whoever has seen one does not get it.
    """
    with room.database.read() as connection:
        passed = [row["batch"] for row in batches(room, connection) if row["outcome"] == "pass"]
        sound = (PAIR_STATES.c.batch.in_(passed), PAIR_STATES.c.state == "gold", PAIR_STATES.c.how.in_(["expert", "unanimous"]))
        query = sa.select(PAIR_STATES.c.pair_id, PAIR_STATES.c.label).where(
            *sound, PAIR_STATES.c.pair_id.not_in(sa.select(CHECK_ITEMS.c.pair_id))
        )
        found = sorted(connection.execute(query).all(), key=lambda row: unit_interval(f"known:{row.pair_id}", room.seed))[:count]
        rows = [_settled_row(room, row.pair_id, row.label, material_of_queue(connection, row.pair_id)) for row in found]
    with room.database.write() as connection:
        if rows:
            connection.execute(CHECK_ITEMS.insert(), rows)
        events.record(connection, room.clock(), actor, "known.added", "check", rows=len(rows), new=len(rows), file="")
    return {"rows": len(rows), "new": len(rows)}


def _settled_row(room: Room, pair_id: str, label: str, material: Material) -> dict[str, Any]:
    return {
        "pair_id": pair_id,
        "record": canonical_json({**material.record, "checks": material.checks}),
        "attributes": canonical_json(material.attributes) if material.attributes else None,
        "label": label,
        "rationale": "",
        "use": "check",
        "draw": unit_interval(f"known:{pair_id}", room.seed),
    }


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
    attributes = _attributes(place, row)
    record = {"pair_id": pair.pair_id, "context": pair.messages, "first": pair.first, "second": pair.second}
    return {
        "pair_id": pair.pair_id,
        "record": canonical_json({**record, "checks": _checks(place, row.get("checks"), chosen == pair.first)}),
        "attributes": canonical_json(attributes) if attributes else None,
        "label": pair.label,
        "rationale": str(row.get("rationale", "")),
        "use": use,
        "draw": unit_interval(f"known:{pair.pair_id}", room.seed),
    }


def _attributes(place: str, row: dict[str, Any]) -> dict[str, Any]:
    """The attributes of a line that are filled in."""
    found = {name: row[name] for name in ATTRIBUTES if row.get(name)}
    for name, value in found.items():
        is_right = (
            isinstance(value, list) and all(isinstance(one, str) for one in value)
            if name == "desired"
            else isinstance(value, str)
        )
        if not is_right:
            raise DataError(f"{place}: {name}: {'a list of strings' if name == 'desired' else 'a string'} is expected")
        if name in CLOSED and value not in CLOSED[name]:
            raise DataError(f"{place}: {name} = {value!r}; one of {', '.join(CLOSED[name])} is expected")
    return found


def _checks(place: str, given: Any, chosen_is_first: bool) -> dict[str, list[dict[str, str]]] | None:
    """What models said of each reply, by the pair's own sides."""
    if not given:
        return None
    sides = ("first", "second") if chosen_is_first else ("second", "first")
    try:
        said = {
            side: [ReplyCheck.model_validate(one).model_dump() for one in given.get(name, [])]
            for side, name in zip(sides, ("chosen", "rejected"), strict=True)
        }
    except (ValidationError, AttributeError, TypeError) as error:
        raise DataError(
            f"{place}: checks: {{chosen, rejected}}, each a list of model, outcome and reason, is expected ({error})"
        ) from None
    return said
