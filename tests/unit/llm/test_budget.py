"""The hard stop, with many calls in flight, and what is said before the first of them."""

from pathlib import Path
from typing import Any

import pytest

from goldsmith.config.llm import EndpointConfig, LlmConfig
from goldsmith.llm import Completion, Failure, LlmGroup, Request
from goldsmith.llm.mock import Reply, ScriptedServer

# A question has 10 characters: 10 + 8 + 1 = 19 prompt tokens at most, and 11 of reply: 30.
MOST = 30


def ask(number: int) -> Request:
    return Request(endpoint="scripted", messages=(("user", f"{number:010}"),), max_tokens=11)


@pytest.mark.parametrize("setting", ["max_tokens", "max_cost", "max_calls"])
@pytest.mark.parametrize("room", [0, 1, 7, 63, 64, 65])
def test_64_at_once_never_exceed_it_whatever_the_server_bills(tmp_path: Path, setting: str, room: int) -> None:
    """The server bills the most that a call can use, so every call that is sent takes its whole reservation."""
    limit = {"max_tokens": room * MOST + MOST - 1, "max_cost": (room * MOST + MOST - 1) / 1e6, "max_calls": room}[setting]

    def script(body: dict[str, Any], number: int) -> Reply:
        return Reply(text="x", delay_s=0.05, usage={"prompt_tokens": 19, "completion_tokens": 11})

    with ScriptedServer(script) as server:
        endpoint = EndpointConfig(
            name="scripted", base_url=server.base_url, price_prompt_per_million=1.0, price_completion_per_million=1.0
        )
        config = LlmConfig(endpoints=[endpoint], concurrency=64, **{setting: limit})
        with LlmGroup(config, tmp_path / "llm.sqlite", seed=0) as group:
            found = group.complete_many([ask(number) for number in range(100)])
            spent = group.budget.spent
        assert len(server.bodies) == room
    assert [type(item) for item in found].count(Completion) == room
    assert {item.kind for item in found if isinstance(item, Failure)} == {"budget"}
    assert (spent.calls, spent.tokens) == (room, room * MOST)


def test_lost_calls_count_at_their_most(tmp_path: Path) -> None:
    with ScriptedServer(lambda body, number: Reply(closes=True)) as server:
        config = LlmConfig(
            endpoints=[EndpointConfig(name="scripted", base_url=server.base_url)], max_tokens=3 * MOST, max_retries=9
        )
        with LlmGroup(config, tmp_path / "llm.sqlite", seed=0, base_delay_s=0.01) as group:
            found = group.complete_many([ask(number) for number in range(10)])
        assert len(server.bodies) == 3
    assert {item.kind for item in found if isinstance(item, Failure)} == {"budget"}


def test_a_prompt_of_digits_cannot_slip_through(tmp_path: Path) -> None:
    """Tokenizers that read digits one by one make a token of every byte: an estimate by words would let this call pass."""
    with ScriptedServer(lambda body, number: Reply(text="x")) as server:
        config = LlmConfig(endpoints=[EndpointConfig(name="scripted", base_url=server.base_url)], max_tokens=2000)
        with LlmGroup(config, tmp_path / "llm.sqlite", seed=0) as group:
            found = group.complete_many([Request(endpoint="scripted", messages=(("user", "7" * 3000),), max_tokens=10)])
        assert server.bodies == []
    assert isinstance(found[0], Failure)


def test_what_a_batch_will_use_is_said_before_its_first_call(tmp_path: Path) -> None:
    notes: list[str] = []
    calls_before_note: list[int] = []

    with ScriptedServer(lambda body, number: Reply(text="x")) as server:

        def note(text: str) -> None:
            notes.append(text)
            calls_before_note.append(len(server.bodies))

        endpoint = EndpointConfig(
            name="scripted", base_url=server.base_url, price_prompt_per_million=1e6, price_completion_per_million=2e6
        )
        with LlmGroup(LlmConfig(endpoints=[endpoint], max_cost=100.0), tmp_path / "llm.sqlite", seed=0, note=note) as group:
            group.complete_many([ask(1)])
            group.complete_many([ask(1), ask(2), ask(3), ask(4)])
            group.complete_many([ask(1)])
    # About 10 // 3 + 8 + 1 = 12 prompt tokens at 1 and 11 of reply at 2: 34; at most 19 + 22 = 41.
    assert notes[0] == "LLM calls: 1 to scripted; about 23 tokens and 34.00 in money (at most 30 and 41.00)"
    # The first call used 1 prompt token and 1 of reply: 3 of 100 are gone, and 97 hold two calls of 41.
    assert notes[1].startswith(
        "LLM calls: 3 to scripted (1 answered already); about 69 tokens and 102.00 in money (at most 90 and 123.00)"
    )
    assert "the budget is sure to hold 2 of them: llm.max_cost = 100" in notes[1]
    assert len(notes) == 2
    assert calls_before_note == [0, 1]
