"""kill -9 with calls in flight: what had arrived is kept, what had not is unknown and counts."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

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
    assert usage.cached == QUICK
    assert not set(before[:QUICK]) & set(after)
    assert len(after) == QUESTIONS - QUICK


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
