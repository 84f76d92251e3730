"""The room's tables as CSV, line by line, so that a million votes need no memory."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from goldsmith.gold import progress
from goldsmith.gold.annotators import annotators
from goldsmith.gold.batches import batches
from goldsmith.gold.room import Room
from goldsmith.gold.schema import EVENTS, PAIR_STATES, PEOPLE, TOOL_USES, VOTES
from goldsmith.gold.tool_evidence import tool_evidence

Rows = Iterator[Mapping[str, Any]]
AT_ONCE = 1000
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What may begin a formula: spreadsheets skip white space before one, and some read the wide forms alike."""
VOTE_FIELDS = ("choice", "strength", "confidence", "rationale", "reason", "seconds", "changed_after_hint", "at")


def csv_lines(room: Room, name: str) -> Iterator[str]:
    """Yield a table's lines, the names of the columns first.

    Args:
        room: the room.
        name: `votes`, `gold`, `annotators`, `batches`, `coverage`, `throughput`, `alpha`, `progress`, `tools`, `tool_uses` or `events`.
    """
    columns: list[str] | None = None
    with room.database.read(at_once=True) as connection:
        for row in TABLES[name](room, connection):
            if columns is None:
                columns = list(row)
                yield _line(columns)
            yield _line([row[column] for column in columns])


def _votes(_room: Room, connection: sa.Connection) -> Rows:
    query = (
        sa.select(VOTES, PEOPLE.c.name, PAIR_STATES.c.batch, PAIR_STATES.c.task)
        .outerjoin(PEOPLE, PEOPLE.c.person_id == VOTES.c.annotator)
        .outerjoin(PAIR_STATES, PAIR_STATES.c.pair_id == VOTES.c.pair_id)
        .order_by(VOTES.c.at, VOTES.c.vote_id)
    )
    for row in _streamed(connection, query):
        vote = json.loads(row["record"])
        about = {"vote_id": row["vote_id"], "pair_id": row["pair_id"], "batch": row["batch"], "task": row["task"]}
        by = {"annotator": row["annotator"], "name": row["name"], "round": row["round"]}
        said = {name: vote[name] for name in VOTE_FIELDS}
        yield {**about, **by, **said, "shown_first": vote["shown_order"][0], "withdrawn": row["withdrawn_at"] is not None}


def _gold(_room: Room, connection: sa.Connection) -> Rows:
    names = ("pair_id", "batch", "task", "label", "how", "num_votes", "was_disputed", "settled_at")
    query = sa.select(*(PAIR_STATES.c[name] for name in names)).where(PAIR_STATES.c.state == "gold").order_by(PAIR_STATES.c.rank)
    yield from _streamed(connection, query)


def _events(_room: Room, connection: sa.Connection) -> Rows:
    yield from _streamed(connection, sa.select(EVENTS).order_by(EVENTS.c.event_id))


def _annotators(room: Room, connection: sa.Connection) -> Rows:
    for row in annotators(room, connection):
        yield {**row, "flags": " ".join(flag["kind"] for flag in row["flags"])}


def _batches(room: Room, connection: sa.Connection) -> Rows:
    for row in batches(room, connection):
        yield _flat(row, whole="alpha")


def _coverage(_room: Room, connection: sa.Connection) -> Rows:
    yield from progress.coverage(connection)


def _tools(_room: Room, connection: sa.Connection) -> Rows:
    for row in tool_evidence(connection):
        yield _flat(row)


def _tool_uses(_room: Room, connection: sa.Connection) -> Rows:
    yield from _streamed(connection, sa.select(TOOL_USES).order_by(TOOL_USES.c.at, TOOL_USES.c.use_id))


def _alpha(room: Room, connection: sa.Connection) -> Rows:
    yield from progress.alpha_over_time(room, connection)


def _progress(room: Room, connection: sa.Connection) -> Rows:
    """One row: the pairs by state, the disputes, and what it has cost."""
    cost = progress.cost(room, connection) or dict.fromkeys(("currency", "total", "hours", "per_gold"))
    yield _flat({**progress.progress(room, connection), "disputes": progress.disputes(room, connection), "cost": cost})


def _throughput(room: Room, connection: sa.Connection) -> Rows:
    yield from progress.throughput(room, connection)


TABLES: dict[str, Callable[[Room, sa.Connection], Rows]] = {
    "votes": _votes,
    "gold": _gold,
    "annotators": _annotators,
    "batches": _batches,
    "coverage": _coverage,
    "throughput": _throughput,
    "alpha": _alpha,
    "progress": _progress,
    "tools": _tools,
    "tool_uses": _tool_uses,
    "events": _events,
}


def _flat(row: Mapping[str, Any], whole: str = "") -> dict[str, Any]:
    """A row whose inner dicts become columns, `<name>_<part>`; the part called `whole` is the name alone."""
    flat = {name: value for name, value in row.items() if not isinstance(value, dict)}
    for name, inner in row.items():
        if isinstance(inner, dict):
            flat |= {f"{name}_{part}" if part != whole else name: value for part, value in inner.items()}
    return flat


def _streamed(connection: sa.Connection, query: Any) -> Rows:
    for rows in connection.execution_options(yield_per=AT_ONCE).execute(query).mappings().partitions():
        yield from (dict(row) for row in rows)


def _line(values: Sequence[Any]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow([_cell(value) for value in values])
    return text.getvalue()


def _cell(value: Any) -> Any:
    """A text that a spreadsheet would take for a formula gets an apostrophe before it."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
