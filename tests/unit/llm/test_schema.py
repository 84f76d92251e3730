"""Servers with and without JSON schemas: constrained where it can be, asked again without where it is refused, never paid twice."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from goldsmith.config.llm import EndpointConfig, LlmConfig
from goldsmith.llm import Completion, Failure, LlmGroup, Request
from goldsmith.llm.mock import Reply, Script, ScriptedServer

SCHEMA = {"type": "object"}


def ask(number: int) -> Request:
    return Request(endpoint="scripted", messages=(("user", str(number)),), max_tokens=5, schema=SCHEMA)


def group_of(server: ScriptedServer, folder: Path, **settings: Any) -> LlmGroup:
    endpoint = EndpointConfig(name="scripted", base_url=server.base_url, json_schema=settings.pop("json_schema", True))
    config = LlmConfig(endpoints=[endpoint], **{"concurrency": 1, **settings})
    return LlmGroup(config, folder / "llm.sqlite", seed=0, base_delay_s=0.01)


def refusing(status: int, raw: bytes) -> Script:
    return lambda body, number: (
        Reply(status=status, raw=raw) if "response_format" in body else Reply(text=body["messages"][0]["content"])
    )


def states(folder: Path) -> dict[str, int]:
    return dict(sqlite3.connect(folder / "llm.sqlite").execute("SELECT state, count(*) FROM calls GROUP BY state").fetchall())


@pytest.mark.parametrize(
    ("status", "raw"),
    [(400, b"unknown field response_format"), (422, b'{"detail": "extra inputs are not permitted"}'), (400, b""), (200, b'{"error": {"code": 400}}')],
)  # fmt: skip
def test_a_server_that_refuses_the_field_is_asked_without_it(tmp_path: Path, status: int, raw: bytes) -> None:
    with ScriptedServer(refusing(status, raw)) as server:
        with group_of(server, tmp_path) as group:
            found = group.complete_many([ask(number) for number in range(5)])
        # One refusal is enough to know; the other four questions go without at once.
        assert ["response_format" in body for body in server.bodies] == [True, False, False, False, False, False]
        assert [item.text for item in found if isinstance(item, Completion)] == ["0", "1", "2", "3", "4"]
        assert states(tmp_path) == {"done": 5, "rejected": 1}
        # A later session finds the answers, and tries the field again for what is new: servers are updated.
        with group_of(server, tmp_path) as group:
            again = group.complete_many([ask(number) for number in range(6)])
        assert ["response_format" in body for body in server.bodies[6:]] == [True, False]
    assert all(isinstance(item, Completion) and item.cached for item in again[:5])


def test_an_answer_without_schema_is_found_although_the_process_died_before_it_was_noted(tmp_path: Path) -> None:
    with ScriptedServer(refusing(400, b"no schema")) as server:
        with group_of(server, tmp_path) as group:
            group.complete_many([ask(1)])
        connection = sqlite3.connect(tmp_path / "llm.sqlite")
        connection.execute("DELETE FROM without_schema")
        connection.commit()
        connection.close()
        with group_of(server, tmp_path) as group:
            (found,) = group.complete_many([ask(1)])
        # The field is tried, and refused; the answer is then read, not asked for.
        assert ["response_format" in body for body in server.bodies] == [True, False, True]
    assert isinstance(found, Completion)
    assert found.cached


def test_another_refusal_is_not_taken_for_one_of_the_schema(tmp_path: Path) -> None:
    def script(body: dict[str, Any], number: int) -> Reply:
        return Reply(status=400, raw=b"context too long") if body["messages"][0]["content"] == "1" else Reply(text="good")

    with ScriptedServer(script) as server, group_of(server, tmp_path) as group:
        found = group.complete_many([ask(0), ask(1), ask(2)])
        assert ["response_format" in body for body in server.bodies] == [True, True, True]
    assert [type(item) for item in found] == [Completion, Failure, Completion]


def test_a_refusal_of_everything_costs_two_calls_and_says_the_first_reason(tmp_path: Path) -> None:
    replies = [Reply(status=400, raw=b"first reason"), Reply(status=400, raw=b"second reason")]
    with ScriptedServer(lambda body, number: replies[number]) as server, group_of(server, tmp_path) as group:
        (found,) = group.complete_many([ask(1)])
        assert len(server.bodies) == 2
    assert isinstance(found, Failure)
    assert found.kind == "refused"
    assert "first reason" in found.detail


def test_one_schema_that_a_server_cannot_compile_does_not_cost_the_others_theirs(tmp_path: Path) -> None:
    def script(body: dict[str, Any], number: int) -> Reply:
        is_hard = body["messages"][0]["content"] == "1" and "response_format" in body
        return Reply(status=400, raw=b"cannot compile json_schema") if is_hard else Reply(text="good")

    with ScriptedServer(script) as server:
        with group_of(server, tmp_path) as group:
            group.complete_many([ask(0), ask(1), ask(2)])
        assert ["response_format" in body for body in server.bodies] == [True, True, False, True]
        with group_of(server, tmp_path) as group:
            group.complete_many([ask(0), ask(1), ask(2)])
        assert len(server.bodies) == 4


def test_the_fallback_is_within_the_budget(tmp_path: Path) -> None:
    with ScriptedServer(refusing(400, b"no schema")) as server, group_of(server, tmp_path, max_calls=1) as group:
        (found,) = group.complete_many([ask(1)])
        assert len(server.bodies) == 1
    assert isinstance(found, Failure)
    assert found.kind == "budget"


def test_a_failure_of_the_fallback_is_retried_like_any_other(tmp_path: Path) -> None:
    replies = [
        Reply(status=400, raw=b"no schema"),
        Reply(status=500, raw=b""),
        Reply(status=400, raw=b"no schema"),
        Reply(text="good"),
    ]
    with ScriptedServer(lambda body, number: replies[number]) as server, group_of(server, tmp_path) as group:
        (found,) = group.complete_many([ask(1)])
    assert isinstance(found, Completion)
