"""Every call, written before it is sent, and every response, written as it arrives: one SQLite file.

States of a call: `in flight` (committed before the first byte leaves), `done` (a response arrived; its bytes are stored in
the same transaction), `rejected` (the server answered with an error: not billed, may be asked again), `not sent` (no
connection), `unknown` (no answer came: possibly billed, counts against the budget at its estimate, may be asked again).
"""

from __future__ import annotations

import os
import socket
import sqlite3
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from goldsmith.errors import StoreError

EndState = Literal["rejected", "not sent", "unknown"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS calls (
    call_id INTEGER PRIMARY KEY, key TEXT NOT NULL, endpoint TEXT NOT NULL, purpose TEXT NOT NULL, owner TEXT NOT NULL,
    state TEXT NOT NULL, status INTEGER, detail TEXT, started_at REAL NOT NULL, ended_at REAL,
    prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, cost REAL NOT NULL);
CREATE INDEX IF NOT EXISTS calls_in_flight ON calls (state) WHERE state = 'in flight';
CREATE TABLE IF NOT EXISTS responses (
    key TEXT PRIMARY KEY, body BLOB NOT NULL, call_id INTEGER NOT NULL REFERENCES calls (call_id), arrived_at REAL NOT NULL);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What calls used: counted where a response says it, estimated while in flight or unknown."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0

    @property
    def tokens(self) -> int:
        """Prompt and completion tokens."""
        return self.prompt_tokens + self.completion_tokens

    def plus(self, other: Spent, sign: int = 1) -> Spent:
        """Return the sum (or, with `sign` -1, the difference)."""
        return Spent(
            calls=self.calls + sign * other.calls,
            prompt_tokens=self.prompt_tokens + sign * other.prompt_tokens,
            completion_tokens=self.completion_tokens + sign * other.completion_tokens,
            cost=self.cost + sign * other.cost,
        )


class Ledger:
    """The calls and responses of a workspace. Methods may be called from any thread; each is one transaction."""

    def __init__(self, path: Path) -> None:
        """Open or make the file, and settle the calls that dead processes left in flight.

        Raises:
            StoreError: the file is no such database, or cannot be written.
        """
        self.path = path
        self.owner = _owner(os.getpid())
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(str(path), timeout=60.0, check_same_thread=False, isolation_level=None)
            # WAL + NORMAL: a commit survives the death of the process (not of the machine's power) and costs no fsync.
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._connection.executescript(_SCHEMA)
        except (sqlite3.DatabaseError, OSError) as error:
            raise StoreError(
                f"{path}: the record of LLM calls cannot be opened: {error}; move it away to start a new one"
            ) from None
        self.settled = self._settle_dead()

    def begin(self, key: str, endpoint: str, purpose: str, estimate: Spent) -> int:
        """Write a call as `in flight` and return its id; once this returns, a kill leaves the call's trace."""
        row = (key, endpoint, purpose, self.owner, time.time(), estimate.prompt_tokens, estimate.completion_tokens, estimate.cost)
        sql = (
            "INSERT INTO calls (key, endpoint, purpose, owner, state, started_at, prompt_tokens, completion_tokens, cost) "
            "VALUES (?, ?, ?, ?, 'in flight', ?, ?, ?, ?)"
        )
        with self._lock:
            return int(self._connection.execute(sql, row).lastrowid or 0)

    def finish(self, call_id: int, key: str, body: bytes, status: int, used: Spent) -> None:
        """Store a response and mark its call `done`, in one transaction."""
        now = time.time()
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                self._connection.execute("INSERT OR REPLACE INTO responses VALUES (?, ?, ?, ?)", (key, body, call_id, now))
                self._connection.execute(
                    "UPDATE calls SET state = 'done', status = ?, ended_at = ?, prompt_tokens = ?, completion_tokens = ?, cost = ? "
                    "WHERE call_id = ?",
                    (status, now, used.prompt_tokens, used.completion_tokens, used.cost, call_id),
                )
                self._connection.execute("COMMIT")
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise

    def end(self, call_id: int, state: EndState, detail: str, status: int | None = None) -> None:
        """Mark a call that brought no response; one that was not billed uses nothing."""
        keep = 1 if state == "unknown" else 0
        sql = (
            "UPDATE calls SET state = ?, status = ?, detail = ?, ended_at = ?, prompt_tokens = prompt_tokens * ?, "
            "completion_tokens = completion_tokens * ?, cost = cost * ? WHERE call_id = ? AND state = 'in flight'"
        )
        with self._lock:
            self._connection.execute(sql, (state, status, detail[:500], time.time(), keep, keep, keep, call_id))

    def response(self, key: str) -> bytes | None:
        """Return the bytes that arrived for a request, or None."""
        with self._lock:
            row = self._connection.execute("SELECT body FROM responses WHERE key = ?", (key,)).fetchone()
        return None if row is None else bytes(row[0])

    def spent(self) -> Spent:
        """Return what all calls of the file used; every call that was sent counts, unknown ones at their estimate."""
        sql = "SELECT count(*), sum(prompt_tokens), sum(completion_tokens), sum(cost) FROM calls WHERE state != 'not sent'"
        with self._lock:
            calls, prompt, completion, cost = self._connection.execute(sql).fetchone()
        return Spent(calls=calls, prompt_tokens=prompt or 0, completion_tokens=completion or 0, cost=cost or 0.0)

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

    def close(self) -> None:
        """Mark this process's open calls as unknown and close the file."""
        with self._lock:
            self._connection.execute(
                "UPDATE calls SET state = 'unknown', detail = 'stopped', ended_at = ? WHERE state = 'in flight' AND owner = ?",
                (time.time(), self.owner),
            )
            self._connection.close()

    def _settle_dead(self) -> int:
        """Mark calls in flight whose process is gone as unknown; return how many."""
        owners = [row[0] for row in self._connection.execute("SELECT DISTINCT owner FROM calls WHERE state = 'in flight'")]
        settled = 0
        for owner in owners:
            if not _is_alive(owner):
                settled += self._connection.execute(
                    "UPDATE calls SET state = 'unknown', detail = 'the process ended while the call was in flight', ended_at = ? "
                    "WHERE state = 'in flight' AND owner = ?",
                    (time.time(), owner),
                ).rowcount
        return settled


def _owner(process: int) -> str:
    """Name a process so that a later one with the same number is not taken for it: host, number, start."""
    return f"{socket.gethostname()}:{process}:{_started(process)}"


def _started(process: int) -> str:
    try:
        stat = Path(f"/proc/{process}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return "?"
    # The name in parentheses may hold spaces; the start time is field 22, the 20th after it.
    return stat.rpartition(")")[2].split()[19]


def _is_alive(owner: str) -> bool:
    host, process, _ = owner.rsplit(":", 2)
    if host != socket.gethostname():
        # Another machine's process cannot be looked up; its calls stay in flight, and count against the budget as they are.
        return True
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return _owner(int(process)) == owner
