"""Every call, written before it is sent, and every response, written as it arrives: one SQLite file.

States of a call: `in flight` (committed before the first byte leaves), `done` (a response arrived; its bytes are stored in
the same transaction), `rejected` (the server answered with an error: not billed unless it says so, may be asked again),
`not sent` (no connection), `unknown` (no answer came: possibly billed, counts against the budget at the most it can be, may be
asked again).
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from goldsmith.errors import StoreError
from goldsmith.llm.owner import is_alive, this_owner
from goldsmith.llm.spent import Spent
from goldsmith.store.sqlite import transaction

EndState = Literal["rejected", "not sent", "unknown"]
DETAIL_LENGTH = 500
UNKNOWN_AFTER_KILL = "unknown, possibly billed: the process ended while the call was in flight"
UNKNOWN_AFTER_STOP = "unknown, possibly billed: stopped while the call was in flight"

_VERSION = 2
_SCHEMA = """
CREATE TABLE IF NOT EXISTS calls (
    call_id INTEGER PRIMARY KEY, key TEXT NOT NULL, endpoint TEXT NOT NULL, purpose TEXT NOT NULL, owner TEXT NOT NULL,
    state TEXT NOT NULL, status INTEGER, detail TEXT, started_at REAL NOT NULL, ended_at REAL,
    prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, cost REAL NOT NULL, estimated INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS calls_in_flight ON calls (state) WHERE state = 'in flight';
CREATE TABLE IF NOT EXISTS responses (
    key TEXT PRIMARY KEY, body BLOB NOT NULL, call_id INTEGER NOT NULL REFERENCES calls (call_id), arrived_at REAL NOT NULL,
    problem TEXT NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS without_schema (address TEXT NOT NULL, model TEXT NOT NULL, PRIMARY KEY (address, model));
"""
_FROM_VERSION_1 = """
ALTER TABLE calls ADD COLUMN estimated INTEGER NOT NULL DEFAULT 0;
ALTER TABLE responses ADD COLUMN problem TEXT NOT NULL DEFAULT '';
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A response as it arrived; `problem` says why its body cannot be used, of which only the beginning was kept then."""

    body: bytes
    problem: str = ""


class Ledger:
    """The calls and responses of a workspace. Methods may be called from any thread; each is a transaction, or part of one."""

    def __init__(self, path: Path) -> None:
        """Open or make the file, and settle the calls that dead processes left in flight.

        Raises:
            StoreError: the file is no such database, is of a newer version, or cannot be written.
        """
        self.path = path
        self.owner = this_owner()
        self._lock = threading.RLock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(str(path), timeout=60.0, check_same_thread=False, isolation_level=None)
            # WAL + NORMAL: a commit survives the death of the process (not of the machine's power) and costs no fsync.
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._make_tables()
        except (sqlite3.DatabaseError, OSError) as error:
            raise StoreError(
                f"{path}: the record of LLM calls cannot be opened: {error}; move it away to start a new one"
            ) from None
        self.settled = self._settle_dead()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Everything inside is written at once or not at all; one inside another is part of it.

        Raises:
            StoreError: the file cannot be written.
        """
        with self._lock, transaction(self._connection, f"{self.path}: the record of LLM calls cannot be written") as connection:
            yield connection

    def begin(self, key: str, endpoint: str, purpose: str, most: Spent) -> int:
        """Write a call as `in flight` and return its id; once this is committed, a kill leaves the call's trace."""
        row = (key, endpoint, purpose, self.owner, time.time(), most.prompt_tokens, most.completion_tokens, most.cost)
        sql = (
            "INSERT INTO calls (key, endpoint, purpose, owner, state, started_at, prompt_tokens, completion_tokens, cost) "
            "VALUES (?, ?, ?, ?, 'in flight', ?, ?, ?, ?)"
        )
        with self.transaction() as connection:
            return int(connection.execute(sql, row).lastrowid or 0)

    def finish(self, call_id: int, key: str, response: Stored, status: int, used: Spent, *, estimated: bool = False) -> None:
        """Store a response and mark its call `done`.

        Args:
            call_id: of `begin`.
            key: of the request.
            response: what arrived.
            status: of HTTP.
            used: what the call used.
            estimated: the server did not say so.
        """
        now = time.time()
        sql = (
            "UPDATE calls SET state = 'done', status = ?, ended_at = ?, prompt_tokens = ?, completion_tokens = ?, cost = ?, "
            "estimated = ?, detail = NULL WHERE call_id = ?"
        )
        with self.transaction() as connection:
            row = (key, response.body, call_id, now, response.problem)
            connection.execute(
                "INSERT OR REPLACE INTO responses (key, body, call_id, arrived_at, problem) VALUES (?, ?, ?, ?, ?)", row
            )
            connection.execute(sql, (status, now, used.prompt_tokens, used.completion_tokens, used.cost, estimated, call_id))

    def end(self, call_id: int, state: EndState, detail: str, used: Spent, status: int | None = None) -> None:
        """Mark a call that brought no response, with what it may have used."""
        sql = (
            "UPDATE calls SET state = ?, status = ?, detail = ?, ended_at = ?, prompt_tokens = ?, completion_tokens = ?, cost = ? "
            "WHERE call_id = ? AND state = 'in flight'"
        )
        row = (state, status, detail[:DETAIL_LENGTH], time.time(), used.prompt_tokens, used.completion_tokens, used.cost, call_id)
        with self.transaction() as connection:
            connection.execute(sql, row)

    def response(self, key: str) -> Stored | None:
        """Return what arrived for a request, or None."""
        with self._lock:
            row = self._connection.execute("SELECT body, problem FROM responses WHERE key = ?", (key,)).fetchone()
        return None if row is None else Stored(body=bytes(row[0]), problem=row[1])

    def refuses_schema(self, address: str, model: str) -> bool:
        """Tell whether a model's server ever refused the schema of a reply and answered without it."""
        with self._lock:
            sql = "SELECT 1 FROM without_schema WHERE address = ? AND model = ?"
            return self._connection.execute(sql, (address, model)).fetchone() is not None

    def note_refused_schema(self, address: str, model: str) -> None:
        """Remember that a model's server refuses schemas: its answers are found under the requests without one."""
        with self.transaction() as connection:
            connection.execute("INSERT OR IGNORE INTO without_schema VALUES (?, ?)", (address, model))

    def spent(self) -> Spent:
        """Return what all calls of the file used; every call that was sent counts, unknown ones at the most they can be."""
        total = Spent()
        for states in self.by_endpoint().values():
            for state, used in states.items():
                total = total.plus(used) if state != "not sent" else total
        return total

    def by_endpoint(self) -> dict[str, dict[str, Spent]]:
        """Return, by endpoint and state, what calls used."""
        sql = (
            "SELECT endpoint, state, count(*), sum(prompt_tokens), sum(completion_tokens), sum(cost) "
            "FROM calls GROUP BY endpoint, state ORDER BY endpoint, state"
        )
        found: dict[str, dict[str, Spent]] = {}
        with self._lock:
            rows = self._connection.execute(sql).fetchall()
        for endpoint, state, calls, prompt, completion, cost in rows:
            used = Spent(calls=calls, prompt_tokens=prompt, completion_tokens=completion, cost=cost)
            found.setdefault(endpoint, {})[state] = used
        return found

    def estimated(self) -> dict[str, int]:
        """Return, by endpoint, answered calls whose tokens the server did not say."""
        with self._lock:
            return dict(self._connection.execute("SELECT endpoint, sum(estimated) FROM calls GROUP BY endpoint").fetchall())

    def close(self) -> None:
        """Mark this process's open calls as unknown and close the file."""
        with self._lock:
            self._settle(self.owner, UNKNOWN_AFTER_STOP)
            self._connection.close()

    def _make_tables(self) -> None:
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if version > _VERSION:
            raise StoreError(
                f"{self.path}: the record of LLM calls is of version {version}, newer than this goldsmith; update goldsmith"
            )
        is_old = version < _VERSION and self._connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'calls'").fetchone()
        script = (_FROM_VERSION_1 if is_old else "") + _SCHEMA
        self._connection.executescript(f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {_VERSION}; COMMIT;")

    def _settle_dead(self) -> int:
        """Mark calls in flight whose process is gone as unknown; return how many."""
        owners = [row[0] for row in self._connection.execute("SELECT DISTINCT owner FROM calls WHERE state = 'in flight'")]
        return sum(self._settle(owner, UNKNOWN_AFTER_KILL) for owner in owners if not is_alive(owner))

    def _settle(self, owner: str, detail: str) -> int:
        sql = "UPDATE calls SET state = 'unknown', detail = ?, ended_at = ? WHERE state = 'in flight' AND owner = ?"
        return self._connection.execute(sql, (detail, time.time(), owner)).rowcount
