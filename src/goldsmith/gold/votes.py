"""The votes table and the queue: the seam where the annotation room, recorded votes and the pipeline meet.

Votes are append-only: a vote is stored once under its id and its record never changes; one that was taken back is marked and counts for nothing. The
current state of a pair is a fold over its votes.
"""

from __future__ import annotations

import json
import re
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from goldsmith.gold import events
from goldsmith.gold.adjudicate import signed_strength
from goldsmith.gold.database import Database
from goldsmith.gold.order import needed_tag, queue_order
from goldsmith.gold.schema import PAIR_STATES, QUEUE, VOTES
from goldsmith.identity import canonical_json
from goldsmith.types import Vote

CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
CHUNK = 500
"""Ids of one query: SQLite bounds the number of variables."""
ROWS_AT_ONCE = 2000


class VoteStore:
    """Votes and the queue of pairs that wait for them.

    Args:
        place: a SQLite file, a SQLAlchemy URL, or a database that is open (and stays so).
    """

    def __init__(self, place: Path | str | Database) -> None:
        self._is_own = not isinstance(place, Database)
        self._database = place if isinstance(place, Database) else Database(place)

    def add(self, votes: Iterable[Vote], *, recorded: bool) -> int:
        """Store votes and return how many were new; a vote id that is there already is left alone."""
        rows = {vote.vote_id: vote_row(vote, recorded=recorded) for vote in votes}
        with self._database.write() as connection:
            known = set(_select_in(connection, VOTES.c.vote_id, list(rows), VOTES.c.vote_id))
            new = [row for name, row in rows.items() if (name,) not in known]
            if new:
                connection.execute(VOTES.insert(), new)
                events.record(connection, time.time(), events.SYSTEM, "votes.added", "", count=len(new), recorded=recorded)
        return len(new)

    def votes_of(self, pair_ids: Sequence[str]) -> dict[str, list[Vote]]:
        """Return the votes of each pair, in the order of their ids, without those that were taken back."""
        with self._database.read() as connection:
            return votes_in(connection, pair_ids)

    def votes_named(self, vote_ids: Sequence[str]) -> dict[str, Vote]:
        """Return the votes that have these ids, those that were taken back included: an id is never used again."""
        with self._database.read() as connection:
            rows = _select_in(connection, VOTES.c.vote_id, vote_ids, VOTES.c.record)
        return {vote.vote_id: vote for vote in (Vote.model_validate_json(record) for (record,) in rows)}

    def fill_queue(
        self,
        batch: str,
        items: Sequence[dict[str, Any]],
        *,
        wanted: int = 3,
        quotas: Mapping[str, float] | None = None,
        expertise: Mapping[str, str] | None = None,
    ) -> None:
        """Put a batch of pairs into the queue; filling it again changes nothing.

        Args:
            batch: name of the batch, `seed` or `round-3`.
            items: what an annotator needs, as dicts with `pair_id`, the most urgent first; `attributes` (a dict) and `checks` (what models said of each
                reply, by side) are kept apart from the rest.
            wanted: first-round votes.
            quotas: see `queue_order`.
            expertise: tag that people need, by task.
        """
        order = queue_order([item.get("attributes") for item in items], quotas or {})
        texts = [_queue_row(batch, position, items[place]) for position, place in enumerate(order)]
        ids = [row["pair_id"] for row in texts]
        with self._database.write() as connection:
            known = {name for (name,) in _select_in(connection, QUEUE.c.pair_id, ids, QUEUE.c.pair_id)}
            placed = {name for (name,) in _select_in(connection, PAIR_STATES.c.pair_id, ids, PAIR_STATES.c.pair_id)}
            last = connection.execute(sa.select(sa.func.max(PAIR_STATES.c.rank))).scalar()
            start = 0 if last is None else last + 1
            states = [
                _state_row(batch, start + row["position"], items[place], wanted, expertise or {})
                for row, place in zip(texts, order, strict=True)
            ]
            new = [row for row in texts if row["pair_id"] not in known]
            _insert(connection, QUEUE, new)
            _insert(connection, PAIR_STATES, [row for row in states if row["pair_id"] not in placed])
            if new:
                events.record(connection, time.time(), events.SYSTEM, "queue.filled", batch, count=len(new))

    def queue(self) -> list[dict[str, Any]]:
        """Return the queue in order, each item with its `batch` and, where known, `attributes`; never with what models said of the replies."""
        query = sa.select(QUEUE.c.batch, QUEUE.c.record, QUEUE.c.attributes).order_by(QUEUE.c.batch, QUEUE.c.position)
        with self._database.read() as connection:
            return [
                {"batch": batch, **json.loads(record), **({"attributes": json.loads(attributes)} if attributes else {})}
                for batch, record, attributes in connection.execute(query)
            ]

    def close(self) -> None:
        """Release the database, unless it was given open."""
        if self._is_own:
            self._database.close()


def votes_in(connection: sa.Connection, pair_ids: Sequence[str]) -> dict[str, list[Vote]]:
    """Return the votes of each pair that count, in the order of their ids."""
    found: dict[str, list[Vote]] = defaultdict(list)
    for record, withdrawn_at in _select_in(connection, VOTES.c.pair_id, pair_ids, VOTES.c.record, VOTES.c.withdrawn_at):
        if withdrawn_at is None:
            vote = Vote.model_validate_json(record)
            found[vote.pair_id].append(vote)
    return {name: sorted(votes, key=lambda vote: vote.vote_id) for name, votes in found.items()}


def vote_row(vote: Vote, *, recorded: bool, lease_id: str | None = None) -> dict[str, Any]:
    """Return the row of a vote: its record, and the columns that are searched and summed."""
    return {
        "vote_id": vote.vote_id,
        "pair_id": vote.pair_id,
        "annotator": vote.annotator,
        "round": vote.round,
        "recorded": recorded,
        "record": vote.model_dump_json(),
        "lease_id": lease_id,
        "choice": vote.choice,
        "strength": None if vote.choice == "discard" else signed_strength(vote),
        "seconds": vote.seconds,
        "at": _timestamp(vote.at),
    }


def _queue_row(batch: str, position: int, item: dict[str, Any]) -> dict[str, Any]:
    record = {name: value for name, value in item.items() if name not in ("attributes", "checks")}
    kept = {name: canonical_json(item[name]) if item.get(name) else None for name in ("attributes", "checks")}
    return {"pair_id": item["pair_id"], "batch": batch, "position": position, "record": canonical_json(record), **kept}


def _state_row(batch: str, rank: int, item: dict[str, Any], wanted: int, expertise: Mapping[str, str]) -> dict[str, Any]:
    task, *closed = (str((item.get("attributes") or {}).get(name, "")) for name in ("task", "objectivity", "controversiality"))
    task = task[:64]
    return {
        "pair_id": item["pair_id"],
        "batch": batch,
        "rank": rank,
        "tag": needed_tag(task, expertise)[:64],
        "task": task,
        "objectivity": closed[0][:16],
        "controversiality": closed[1][:16],
        "num_words": _num_words(item),
        "wanted": wanted,
        "num_votes": 0,
        "free": wanted,
        "state": "open",
        "was_disputed": False,
    }


def _num_words(item: dict[str, Any]) -> int:
    """Words that somebody reads who judges the pair; a CJK character counts as half a word."""
    texts = [item.get("first"), item.get("second"), *(turn.get("content") for turn in item.get("context", []))]
    whole = " ".join(text if isinstance(text, str) else canonical_json(text) for text in texts if text)
    return len(whole.split()) + len(CJK.findall(whole)) // 2


def _insert(connection: sa.Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    for start in range(0, len(rows), ROWS_AT_ONCE):
        connection.execute(table.insert(), rows[start : start + ROWS_AT_ONCE])


def _timestamp(text: str) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp() if text else None
    except ValueError:
        return None


def _select_in(connection: sa.Connection, key: Any, values: Sequence[str], *columns: Any) -> list[Any]:
    found: list[Any] = []
    for start in range(0, len(values), CHUNK):
        found += connection.execute(sa.select(*columns).where(key.in_(values[start : start + CHUNK]))).all()
    return found
