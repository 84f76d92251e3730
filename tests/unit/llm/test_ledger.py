"""The file of calls and responses: groups are committed whole, old files are brought up to date, newer ones are left alone."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from goldsmith.errors import StoreError
from goldsmith.llm.journal import Journal
from goldsmith.llm.ledger import Ledger, Stored
from goldsmith.llm.spent import Spent

ONE = Spent(calls=1, prompt_tokens=3, completion_tokens=2, cost=0.5)


def open_ledger(folder: Path) -> Ledger:
    return Ledger(folder / "llm.sqlite")


def states_seen_by_another(folder: Path) -> list[str]:
    with sqlite3.connect(folder / "llm.sqlite") as connection:
        return [row[0] for row in connection.execute("SELECT state FROM calls ORDER BY call_id")]


def test_who_waited_for_a_write_finds_it_committed(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)

    async def work() -> None:
        journal = Journal(ledger)
        for number in range(3):
            call = await journal.write(partial(ledger.begin, str(number), "one", "", ONE))
            assert states_seen_by_another(tmp_path)[number] == "in flight"
            await journal.write(partial(ledger.finish, call, str(number), Stored(body=b"x"), 200, ONE))
            assert states_seen_by_another(tmp_path)[number] == "done"
        await journal.close()

    asyncio.run(work())
    ledger.close()


def test_what_waits_meanwhile_is_one_group(tmp_path: Path) -> None:
    """While the first write is held up, a hundred more come in: they are committed together, in order, each with its own result."""
    ledger, held, commits = open_ledger(tmp_path), threading.Event(), []
    ledger._connection.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)

    def slow() -> str:
        assert held.wait(30)
        return "slow"

    async def work() -> list[object]:
        journal = Journal(ledger)
        first = asyncio.create_task(journal.write(slow))
        await asyncio.sleep(0.05)
        rest = [asyncio.create_task(journal.write(partial(ledger.begin, str(number), "one", "", ONE))) for number in range(100)]
        await asyncio.sleep(0.05)
        held.set()
        results = [await first, *[await task for task in rest]]
        await journal.close()
        return results

    assert asyncio.run(work()) == ["slow", *range(1, 101)]
    assert len(commits) == 2
    ledger.close()


def test_who_is_cancelled_while_waiting_has_written_all_the_same(tmp_path: Path) -> None:
    ledger, held = open_ledger(tmp_path), threading.Event()

    def slow() -> int:
        assert held.wait(30)
        return ledger.begin("key", "one", "", ONE)

    async def work() -> None:
        journal = Journal(ledger)
        task = asyncio.create_task(journal.write(slow))
        await asyncio.sleep(0.05)
        task.cancel()
        held.set()
        await journal.close()

    asyncio.run(work())
    assert states_seen_by_another(tmp_path) == ["in flight"]
    ledger.close()
    assert states_seen_by_another(tmp_path) == ["unknown"]


def test_a_group_that_cannot_be_written_is_not_written_at_all_and_everyone_hears_of_it(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)

    def broken() -> None:
        ledger._connection.execute("INSERT INTO nowhere VALUES (1)")

    async def work() -> list[object]:
        journal = Journal(ledger)
        entries: list[Callable[[], object]] = [partial(ledger.begin, "key", "one", "", ONE), broken]
        found = await asyncio.gather(*map(journal.write, entries), return_exceptions=True)
        await journal.write(partial(ledger.begin, "later", "one", "", ONE))
        await journal.close()
        return found

    found = asyncio.run(work())
    assert [type(error) for error in found] == [StoreError, StoreError]
    assert "nowhere" in str(found[0])
    assert states_seen_by_another(tmp_path) == ["in flight"]
    ledger.close()


def test_a_file_of_the_first_version_keeps_its_answers(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "llm.sqlite") as old:
        old.executescript(
            """
            CREATE TABLE calls (
                call_id INTEGER PRIMARY KEY, key TEXT NOT NULL, endpoint TEXT NOT NULL, purpose TEXT NOT NULL, owner TEXT NOT NULL,
                state TEXT NOT NULL, status INTEGER, detail TEXT, started_at REAL NOT NULL, ended_at REAL,
                prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, cost REAL NOT NULL);
            CREATE TABLE responses (
                key TEXT PRIMARY KEY, body BLOB NOT NULL, call_id INTEGER NOT NULL REFERENCES calls (call_id), arrived_at REAL NOT NULL);
            INSERT INTO calls VALUES (1, 'key', 'one', '', 'host:1:1', 'done', 200, NULL, 0, 1, 3, 2, 0.5);
            INSERT INTO responses VALUES ('key', x'6162', 1, 1);
            """
        )
    for _ in range(2):
        ledger = open_ledger(tmp_path)
        assert ledger.response("key") == Stored(body=b"ab")
        assert ledger.spent() == ONE
        assert ledger.estimated() == {"one": 0}
        ledger.close()


def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "llm.sqlite") as newer:
        newer.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="version 99"):
        open_ledger(tmp_path)
    with sqlite3.connect(tmp_path / "llm.sqlite") as newer:
        assert newer.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)


def test_a_full_disk_ends_the_call_and_loses_nothing_that_was_there(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    call = ledger.begin("key", "one", "", ONE)
    pages = ledger._connection.execute("PRAGMA page_count").fetchone()[0]
    ledger._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreError, match="full"):
        ledger.finish(call, "key", Stored(body=b"x" * 100_000), 200, ONE)
    assert ledger.response("key") is None
    assert states_seen_by_another(tmp_path) == ["in flight"]
    ledger.close()
