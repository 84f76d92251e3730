"""What people asked tools while they judged a pair: written down when the answer comes, joined to the vote when that comes.

The server writes a use down, never the browser: what counts as evidence is what was really asked and answered.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from goldsmith.gold import events
from goldsmith.gold.leases import Lease
from goldsmith.gold.room import Room
from goldsmith.gold.schema import TOOL_USES
from goldsmith.types import ToolUse

LONGEST_QUESTION = 20_000
LONGEST_ANSWER = 2_000
LONGEST_INPUT = 2_000
"""Characters of a question that a vote's own record repeats."""
CHUNK = 500
SHOWN = ("tool", "question", "answer", "failure", "flag", "seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One question to a tool.

    Attributes:
        tool: its name.
        question: what the person asked, as sent.
        answer: what they were told, in short; empty when it failed.
        failure: why there is no answer, in one word.
        flag: what a lead should see, `asked-verdict` for instance.
        seconds: from the question to the answer.
    """

    tool: str
    question: str
    answer: str
    failure: str | None = None
    flag: str | None = None
    seconds: float = 0.0


def add_use(room: Room, lease: Lease, use: Use) -> str:
    """Write a use down and return its id."""
    use_id, now = secrets.token_hex(16), room.clock()
    about = {"use_id": use_id, "lease_id": lease.lease_id, "pair_id": lease.pair_id, "person_id": lease.person_id, "at": now}
    texts = {"question": storable(use.question)[:LONGEST_QUESTION], "answer": storable(use.answer)[:LONGEST_ANSWER]}
    told = {"tool": use.tool, "failure": use.failure, "flag": use.flag, "seconds": round(use.seconds, 3)}
    with room.database.write() as connection:
        connection.execute(TOOL_USES.insert().values({**asdict(use), **about, **texts, **told}))
        events.record(connection, now, lease.person_id, "tool.used", lease.pair_id, lease=lease.lease_id, use=use_id, **told)
    return use_id


def count_uses(connection: sa.Connection, lease_id: str) -> int:
    """Return how many questions were asked on a lease."""
    query = sa.select(sa.func.count()).select_from(TOOL_USES).where(TOOL_USES.c.lease_id == lease_id)
    return connection.execute(query).scalar_one()


def uses_for_vote(connection: sa.Connection, lease_id: str) -> list[ToolUse]:
    """Return a lease's uses in order of time, as a vote's record carries them."""
    query = sa.select(TOOL_USES).where(TOOL_USES.c.lease_id == lease_id).order_by(TOOL_USES.c.at, TOOL_USES.c.use_id)
    return [
        ToolUse(tool=row["tool"], input=row["question"][:LONGEST_INPUT], at=_iso(row["at"]))
        for row in connection.execute(query).mappings()
    ]


def join_to_vote(connection: sa.Connection, lease_id: str, vote_id: str) -> None:
    """Name the vote that a lease's uses led to; after an undo, the newer one."""
    connection.execute(TOOL_USES.update().where(TOOL_USES.c.lease_id == lease_id).values(vote_id=vote_id))


def uses_of_votes(connection: sa.Connection, vote_ids: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """Return the uses that led to each vote, in order of time, each with `tool`, `question`, `answer`, `failure`, `flag` and `seconds`."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for start in range(0, len(vote_ids), CHUNK):
        query = sa.select(TOOL_USES).where(TOOL_USES.c.vote_id.in_(vote_ids[start : start + CHUNK]))
        for row in connection.execute(query.order_by(TOOL_USES.c.at, TOOL_USES.c.use_id)).mappings():
            found[row["vote_id"]].append({name: row[name] for name in SHOWN})
    return dict(found)


def storable(text: str) -> str:
    """Return a text as both databases can hold it: no NUL (PostgreSQL), no lone surrogate (UTF-8)."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
