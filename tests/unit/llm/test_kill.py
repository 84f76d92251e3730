"""kill -9 with calls in flight: what had arrived is kept, what had not is unknown and counts."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from goldsmith.config.llm import EndpointConfig, LlmConfig
from goldsmith.llm import Completion, LlmGroup, Request
from goldsmith.llm.mock import Reply, ScriptedServer

QUESTIONS, SLOTS, QUICK = 12, 4, 5

CHILD = """
import json, sys
from pathlib import Path
from goldsmith.config.llm import EndpointConfig, LlmConfig
from goldsmith.llm import LlmGroup, Request
base_url, path, questions, slots = json.loads(sys.argv[1])
config = LlmConfig(endpoints=[EndpointConfig(name="scripted", base_url=base_url)], concurrency=slots)
with LlmGroup(config, Path(path), seed=0) as group:
    group.complete_many([Request(endpoint="scripted", messages=(("user", f"question {n}"),), max_tokens=10) for n in range(questions)])
"""


def asked(server: ScriptedServer) -> list[str]:
    return [body["messages"][0]["content"] for body in server.bodies]


def wait_until(condition: Any) -> None:
    for _ in range(3000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("never happened")


def test_kill_and_restart(tmp_path: Path) -> None:
    path = tmp_path / "llm.sqlite"
    killed = False

    def script(body: dict[str, Any], number: int) -> Reply:
        # The first five are answered; then the server hangs, with four calls in flight, until the process has been killed.
        return Reply(text=body["messages"][0]["content"], delay_s=0.0 if number < QUICK or killed else 60.0)

    with ScriptedServer(script) as server:
        child = subprocess.Popen([sys.executable, "-c", CHILD, json.dumps([server.base_url, str(path), QUESTIONS, SLOTS])])
        wait_until(lambda: len(server.bodies) == QUICK + SLOTS)
        # The fifth answer may still be on its way into the file when the ninth call arrives: each slot sends after it has stored.
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        killed = True
        before = asked(server)
        config = LlmConfig(endpoints=[EndpointConfig(name="scripted", base_url=server.base_url)], concurrency=SLOTS)
        with LlmGroup(config, path, seed=0) as group:
            assert group.ledger.settled == SLOTS
            spent = group.budget.spent
            # 5 answers of 2 + 2 words, and 4 unknown calls at their most: 10 bytes + 8 + 1 = 19 prompt tokens and 10 of reply.
            assert spent.calls == QUICK + SLOTS
            assert spent.tokens == QUICK * 4 + SLOTS * 29
            found = group.complete_many(
                [Request(endpoint="scripted", messages=(("user", f"question {n}"),), max_tokens=10) for n in range(QUESTIONS)]
            )
            (usage,) = group.usage()
        after = asked(server)[len(before) :]
    assert [item.text for item in found if isinstance(item, Completion)] == [f"question {n}" for n in range(QUESTIONS)]
    assert usage.unknown == SLOTS
    with sqlite3.connect(path) as connection:
        details = {row[0] for row in connection.execute("SELECT detail FROM calls WHERE state = 'unknown'")}
    assert details == {"unknown, possibly billed: the process ended while the call was in flight"}
    assert usage.cached == QUICK
    assert not set(before[:QUICK]) & set(after)
    assert len(after) == QUESTIONS - QUICK


MANY, AT_ONCE = 1000, 64


def run_child(server: ScriptedServer, path: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", CHILD, json.dumps([server.base_url, str(path), MANY, AT_ONCE])])


def count(path: Path, state: str) -> int:
    if not path.is_file():
        return 0
    with sqlite3.connect(path) as connection:
        try:
            return int(connection.execute("SELECT count(*) FROM calls WHERE state = ?", (state,)).fetchone()[0])
        except sqlite3.OperationalError:
            return 0  # the child has not made its tables yet


@pytest.mark.parametrize("arrived", [random.Random(seed).randrange(50 + 300 * seed, 350 + 300 * seed) for seed in range(3)])
def test_of_1000_calls_those_that_had_arrived_are_not_asked_again(tmp_path: Path, arrived: int) -> None:
    """The server answers the first `arrived` calls and hangs; the process is killed when all of those are in the file."""
    path, killed = tmp_path / "llm.sqlite", False

    def script(body: dict[str, Any], number: int) -> Reply:
        return Reply(text=body["messages"][0]["content"], delay_s=0.0 if number < arrived or killed else 600.0)

    with ScriptedServer(script) as server:
        child = run_child(server, path)
        wait_until(lambda: count(path, "done") == arrived)
        in_flight = 0
        while not 0 < in_flight == count(path, "in flight") == len(server.bodies) - arrived:
            in_flight = count(path, "in flight")
            time.sleep(0.5)  # whoever stored the last answers may still be sending the next questions
        child.kill()
        child.wait()
        killed, before = True, asked(server)
        assert run_child(server, path).wait() == 0
        after = asked(server)[len(before) :]
    repeated = before[arrived:]
    assert 1 <= len(repeated) <= AT_ONCE
    # The server's own log: nothing answered is asked again, and of the others exactly those in flight are asked a second time.
    assert set(before[:arrived]).isdisjoint(after)
    assert len(after) == MANY - arrived
    assert set(repeated) <= set(after)
    assert count(path, "unknown") == len(repeated)
    with LlmGroup(LlmConfig(), path, seed=0) as group:
        assert group.budget.spent.calls == MANY + len(repeated)


def test_killed_at_random_moments_until_it_ends(tmp_path: Path) -> None:
    path, generator = tmp_path / "llm.sqlite", random.Random(21)

    def script(body: dict[str, Any], number: int) -> Reply:
        return Reply(text=body["messages"][0]["content"], delay_s=0.02 * generator.random())

    with ScriptedServer(script) as server:
        ends, lost = [], 0
        for share in sorted(generator.random() for _ in range(4)):
            child = run_child(server, path)
            wait_until(lambda share=share, child=child: len(server.bodies) >= share * MANY or child.poll() is not None)
            child.kill()
            child.wait()
            # The next process to open the file books what was in flight.
            with LlmGroup(LlmConfig(), path, seed=0) as group:
                assert group.ledger.settled <= AT_ONCE
                lost += group.ledger.settled
            with sqlite3.connect(path) as connection:
                known = {row[0] for row in connection.execute("SELECT body FROM responses")}
            ends.append((len(server.bodies), {json.loads(body)["choices"][0]["message"]["content"] for body in known}))
        assert run_child(server, path).wait() == 0
        log = asked(server)
    for at, known in ends:
        assert known.isdisjoint(log[at:])
    assert len(log) - MANY <= lost
    assert set(log) == {f"question {number}" for number in range(MANY)}
    assert (count(path, "done"), count(path, "unknown"), count(path, "in flight")) == (MANY, lost, 0)
    with LlmGroup(LlmConfig(), path, seed=0) as group:
        assert group.budget.spent.calls == MANY + lost


def test_calls_of_a_living_process_are_left_alone(tmp_path: Path) -> None:
    with LlmGroup(LlmConfig(), tmp_path / "llm.sqlite", seed=0) as one:
        one.ledger.begin("key", "smollm2-135m", "", one.budget.spent)
        with LlmGroup(LlmConfig(), tmp_path / "llm.sqlite", seed=0) as other:
            assert other.ledger.settled == 0
            assert other.budget.spent.calls == 1


def test_interrupted_calls_are_written_down(tmp_path: Path) -> None:
    with ScriptedServer(lambda body, number: Reply(text="late", delay_s=30.0)) as server:
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, json.dumps([server.base_url, str(tmp_path / "llm.sqlite"), 3, 3])],
            stderr=subprocess.DEVNULL,
        )
        wait_until(lambda: len(server.bodies) == 3)
        child.send_signal(signal.SIGINT)
        child.wait(timeout=60)
    with LlmGroup(LlmConfig(), tmp_path / "llm.sqlite", seed=0) as group:
        assert group.ledger.settled == 0
        assert {state: used.calls for state, used in group.ledger.by_endpoint()["scripted"].items()} == {"unknown": 3}
