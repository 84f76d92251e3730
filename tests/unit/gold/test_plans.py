"""Handing out a pair and saving a vote walk no table: every statement of both is found by an index, on both databases, however long the queue is."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from voting_room import SmallRoom, small_room

WALKED = ("votes", "queue", "pair_states", "leases", "retests", "events", "check_items", "sessions", "people")


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_no_statement_of_a_vote_walks_a_table(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    place: Any = tmp_path / "annotation.db"
    if kind == "postgresql":
        place = request.getfixturevalue("postgres").create(f"d{secrets.token_hex(8)}")
    here = small_room(place, gold={"retest_share": 0.5, "retest_same_share": 0.5}, check_rate=0.5, daily_limit=1000)
    here.fill(*(f"p{number}" for number in range(12)))
    here.add("ada", "ben", "cy", "di")
    here.add("eve", role="expert")
    said: list[tuple[str, Any]] = []
    sa.event.listen(here.room.database.engine, "before_cursor_execute", _listener(said))
    _a_day(here)
    assert len({statement for statement, _ in said}) >= 20
    walks = [(statement, step) for statement, parameters in said for step in _walks(here, statement, parameters)]
    here.room.close()
    assert walks == []


def _a_day(here: SmallRoom) -> None:
    """First rounds, disputes, experts and retests."""
    for number in range(5):
        for name, choice in (("ada", "first"), ("ben", "second" if number % 2 else "first"), ("cy", "tie")):
            here.work(name, choice)
    here.work("eve", "first", queue="expert", rationale="it is right")
    for _ in range(5):
        here.work("di")


def _listener(said: list[tuple[str, Any]]) -> Any:
    def listen(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        if not many and statement.split(maxsplit=1)[0] in ("SELECT", "UPDATE", "DELETE"):
            said.append((statement, parameters))

    return listen


def _walks(here: SmallRoom, statement: str, parameters: Any) -> list[str]:
    """The steps of a statement's plan that read a whole table."""
    with here.room.database.engine.connect() as connection:
        if here.room.database.is_sqlite:
            plan = [row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
            return [step for step in plan if step.startswith("SCAN") and step.split()[1] in WALKED]
        # Tables of a dozen rows are read whole unless that is made to look dear; where no index fits, it is all the same.
        connection.exec_driver_sql("SET enable_seqscan = off")
        plan = [row[0] for row in connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)]
        return [step for step in plan if "Seq Scan" in step]
