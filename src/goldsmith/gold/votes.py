"""The votes table and the queue in `annotation.db`: the seam where the annotation room and recorded votes meet.

Votes are append-only: a vote is stored once under its id and never changed; the current state of a pair is a fold over
its votes. SQLite in WAL mode by default, any SQLAlchemy URL otherwise.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from goldsmith.errors import StoreError
from goldsmith.identity import canonical_json
from goldsmith.types import Vote

METADATA = sa.MetaData()
VOTES = sa.Table(
    "votes",
    METADATA,
    sa.Column("vote_id", sa.String(64), primary_key=True),
    sa.Column("pair_id", sa.String(32), nullable=False, index=True),
    sa.Column("annotator", sa.String(200), nullable=False),
    sa.Column("round", sa.String(16), nullable=False),
    sa.Column("recorded", sa.Boolean, nullable=False),
    sa.Column("record", sa.Text, nullable=False),
)
QUEUE = sa.Table(
    "queue",
    METADATA,
    sa.Column("pair_id", sa.String(32), primary_key=True),
    sa.Column("batch", sa.String(64), nullable=False, index=True),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("record", sa.Text, nullable=False),
)
CHUNK = 500
"""Ids of one query: SQLite bounds the number of variables."""


class VoteStore:
    """Votes and the queue of pairs that wait for them.

    Args:
        place: a SQLite file, or a SQLAlchemy URL.
    """

    def __init__(self, place: Path | str) -> None:
        url = f"sqlite:///{place}" if isinstance(place, Path) else place
        self._engine = sa.create_engine(url)
        if self._engine.dialect.name == "sqlite":
            sa.event.listen(self._engine, "connect", _durable_sqlite)
        sa.event.listen(self._engine, "handle_error", _explained)
        METADATA.create_all(self._engine)

    def add(self, votes: Iterable[Vote], *, recorded: bool) -> int:
        """Store votes and return how many were new; a vote id that is there already is left alone."""
        rows = {
            vote.vote_id: {
                "vote_id": vote.vote_id,
                "pair_id": vote.pair_id,
                "annotator": vote.annotator,
                "round": vote.round,
                "recorded": recorded,
                "record": vote.model_dump_json(),
            }
            for vote in votes
        }
        with self._engine.begin() as connection:
            known = set(_select_in(connection, VOTES.c.vote_id, list(rows), VOTES.c.vote_id))
            new = [row for name, row in rows.items() if (name,) not in known]
            if new:
                connection.execute(VOTES.insert(), new)
        return len(new)

    def votes_of(self, pair_ids: Sequence[str]) -> dict[str, list[Vote]]:
        """Return the votes of each pair, in the order of their ids."""
        found: dict[str, list[Vote]] = defaultdict(list)
        with self._engine.connect() as connection:
            for (record,) in _select_in(connection, VOTES.c.pair_id, pair_ids, VOTES.c.record):
                vote = Vote.model_validate_json(record)
                found[vote.pair_id].append(vote)
        return {name: sorted(votes, key=lambda vote: vote.vote_id) for name, votes in found.items()}

    def fill_queue(self, batch: str, items: Sequence[dict[str, Any]]) -> None:
        """Put a batch of pairs into the queue, first item first; filling it again changes nothing.

        Args:
            batch: name of the batch, `seed` or `round-3`.
            items: what an annotator needs, as dicts with `pair_id`.
        """
        rows = [
            {"pair_id": item["pair_id"], "batch": batch, "position": position, "record": canonical_json(item)}
            for position, item in enumerate(items)
        ]
        with self._engine.begin() as connection:
            known = set(_select_in(connection, QUEUE.c.pair_id, [row["pair_id"] for row in rows], QUEUE.c.pair_id))
            new = [row for row in rows if (row["pair_id"],) not in known]
            if new:
                connection.execute(QUEUE.insert(), new)

    def queue(self) -> list[dict[str, Any]]:
        """Return the queue in order, each item with its `batch`."""
        query = sa.select(QUEUE.c.batch, QUEUE.c.record).order_by(QUEUE.c.batch, QUEUE.c.position)
        with self._engine.connect() as connection:
            return [{"batch": batch, **json.loads(record)} for batch, record in connection.execute(query)]

    def close(self) -> None:
        """Release the database."""
        self._engine.dispose()


def _explained(failure: Any) -> None:
    """Turn what the database refuses into an error that names the file and the remedy."""
    place, reason = failure.engine.url.database, str(failure.original_exception)
    if "disk is full" in reason:
        raise StoreError(f"{place}: no space left on the disk; no vote is lost. Free some space and run the same command again")
    if isinstance(failure.sqlalchemy_exception, (sa.exc.OperationalError, sa.exc.DatabaseError)):
        raise StoreError(
            f"{place}: the votes cannot be read or written ({reason}); put a sound copy of the file back, or move it away"
        )


def _durable_sqlite(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA busy_timeout=10000")


def _select_in(connection: sa.Connection, key: Any, values: Sequence[str], column: Any) -> list[Any]:
    found: list[Any] = []
    for start in range(0, len(values), CHUNK):
        found += connection.execute(sa.select(column).where(key.in_(values[start : start + CHUNK]))).all()
    return found
