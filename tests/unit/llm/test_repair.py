"""Replies that must have a form: repaired within bounds, each attempt counted."""

import json
from pathlib import Path
from typing import Any

import pytest

from goldsmith.config.llm import EndpointConfig, LlmConfig
from goldsmith.errors import ParseError
from goldsmith.llm import Completion, LlmGroup, Request
from goldsmith.llm.mock import Reply, ScriptedServer
from goldsmith.llm.repair import Read, read_many


def number_in(reply: Completion) -> int:
    try:
        value = json.loads(reply.text)["number"]
    except (ValueError, KeyError, TypeError):
        raise ParseError("give {'number': ...}; not <|im_end|>") from None
    return int(value)


def ask(replies: dict[str, list[Reply]], folder: Path, **options: Any) -> tuple[list[Read[int]], ScriptedServer, Any]:
    """Ask one question per key; each call gets the next of its replies."""
    left = {name: list(items) for name, items in replies.items()}

    def script(body: dict[str, Any], number: int) -> Reply:
        return left[body["messages"][0]["content"]].pop(0)

    with ScriptedServer(script) as server:
        config = LlmConfig(endpoints=[EndpointConfig(name="scripted", base_url=server.base_url)], **options.pop("settings", {}))
        with LlmGroup(config, folder / "llm.sqlite", seed=0) as group:
            requests = [Request(endpoint="scripted", messages=(("user", name),), max_tokens=20) for name in replies]
            return read_many(group, requests, number_in, **options), server, group.usage()[0]


def test_a_wrong_reply_is_mended_and_both_are_paid_for(tmp_path: Path) -> None:
    good, bad = Reply(text='{"number": 7}'), Reply(text='{"number": 7}<|im_end|>')
    found, server, usage = ask({"good": [good], "bad": [bad, good]}, tmp_path)
    # Replies of two words each; the prompts' words are counted by the server.
    assert [(item.value, item.failure, item.attempts) for item in found] == [(7, None, 1), (7, None, 2)]
    assert found[1].usage["completion_tokens"] == 4
    assert usage.calls == 3
    repair = next(body for body in server.bodies if len(body["messages"]) > 1)
    assert [message["role"] for message in repair["messages"]] == ["user", "assistant", "user"]
    # The model's own control tokens do not end a turn when they are sent back.
    assert "<|im_end|>" not in json.dumps(repair)


def test_repairs_are_bounded_and_end_as_a_failure(tmp_path: Path) -> None:
    found, server, _ = ask({"bad": [Reply(text="never")] * 9}, tmp_path, attempts=3)
    assert [(item.value, item.failure, item.attempts) for item in found] == [(None, "invalid", 3)]
    assert len(server.bodies) == 3


@pytest.mark.parametrize(
    ("reply", "failure"),
    [
        (Reply(text='{"number":', finish_reason="length"), "truncated"),
        (Reply(text=""), "invalid"),
        (Reply(text="x" * 300_000), "invalid"),
        (Reply(raw=b"<html>"), "bad-response"),
    ],
)
def test_each_failure_has_its_kind(tmp_path: Path, reply: Reply, failure: str) -> None:
    found, server, _ = ask({"bad": [reply] * 2}, tmp_path)
    assert (found[0].value, found[0].failure) == (None, failure)
    # What the client calls a failure is not asked for again; a long reply is not sent back whole.
    assert len(server.bodies) == (1 if failure == "bad-response" else 2)
    assert all(len(json.dumps(body)) < 2000 for body in server.bodies)


def test_a_repair_needs_room_in_the_budget(tmp_path: Path) -> None:
    found, server, _ = ask({"bad": [Reply(text="never")] * 9}, tmp_path, settings={"max_calls": 1})
    assert (found[0].failure, found[0].attempts, len(server.bodies)) == ("budget", 2, 1)


def test_no_requests_are_no_calls(tmp_path: Path) -> None:
    assert ask({}, tmp_path)[0] == []
