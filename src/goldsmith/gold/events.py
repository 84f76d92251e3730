"""The audit log: one event for every write that a person or the room makes; the database refuses to change or delete one.

Drafts, and the times at which sessions were last seen, are not events.
"""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa

from goldsmith.gold.schema import EVENTS
from goldsmith.identity import canonical_json

SYSTEM = "system"


def record(connection: sa.Connection, at: float, actor: str, kind: str, subject: str, /, **data: Any) -> None:
    """Add an event.

    Args:
        connection: of the transaction that makes the change; both are committed, or neither.
        at: seconds since 1970.
        actor: the person's id, or `SYSTEM`.
        kind: what happened, `vote.cast` or `person.invited`.
        subject: id of the pair, person or batch it happened to.
        data: the particulars; never a secret.
    """
    connection.execute(EVENTS.insert().values(at=at, actor=actor, kind=kind, subject=subject[:200], data=canonical_json(data)))


def events_of(
    connection: sa.Connection, *, subject: str | None = None, kind: str = "", before: int | None = None, limit: int = 100
) -> list[dict[str, Any]]:
    """Return events, newest first, each with its `event_id`, `at`, `actor`, `kind`, `subject` and `data`."""
    query = sa.select(EVENTS).order_by(EVENTS.c.event_id.desc()).limit(limit)
    if subject is not None:
        query = query.where(EVENTS.c.subject == subject)
    if kind:
        query = query.where(EVENTS.c.kind == kind)
    if before is not None:
        query = query.where(EVENTS.c.event_id < before)
    names = ("event_id", "at", "actor", "kind", "subject")
    return [
        {**{name: row[name] for name in names}, "data": json.loads(row["data"])} for row in connection.execute(query).mappings()
    ]
