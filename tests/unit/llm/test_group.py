"""The group against a scripted server: right, wrong, late, refusing, broken."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from goldsmith.config.llm import EndpointConfig, LlmConfig
from goldsmith.errors import ProviderError, StoreError, UserError
from goldsmith.llm import Completion, Failure, LlmGroup, Request
from goldsmith.llm.ledger import Stored
from goldsmith.llm.mock import Reply, Script, ScriptedServer


def ask(number: int, **fields: Any) -> Request:
    return Request(endpoint="scripted", messages=(("user", f"question {number}"),), **{"max_tokens": 10, **fields})


def echo(body: dict[str, Any], number: int) -> Reply:
    return Reply(text="answer to " + body["messages"][-1]["content"])


@contextmanager
def running(
    script: Script, folder: Path, *, server: ScriptedServer | None = None, **settings: Any
) -> Iterator[tuple[LlmGroup, ScriptedServer]]:
    endpoint = {
        name: settings.pop(name)
        for name in ("api_key_env", "json_schema", "price_prompt_per_million", "price_completion_per_million")
        if name in settings
    }
    with ScriptedServer(script) as served:
        config = LlmConfig(endpoints=[EndpointConfig(name="scripted", base_url=served.base_url, **endpoint)], **settings)
        with LlmGroup(config, folder / "llm.sqlite", seed=0, base_delay_s=0.01) as group:
            yield group, served


def states(folder: Path) -> dict[str, int]:
    connection = sqlite3.connect(folder / "llm.sqlite")
    return dict(connection.execute("SELECT state, count(*) FROM calls GROUP BY state").fetchall())


def test_answers_come_in_the_order_of_the_questions(tmp_path: Path) -> None:
    def script(body: dict[str, Any], number: int) -> Reply:
        return Reply(text=body["messages"][0]["content"], delay_s=0.05 if number == 0 else 0.0)

    seen: list[tuple[int, int]] = []
    with running(script, tmp_path, concurrency=4) as (group, _):
        found = group.complete_many([ask(n) for n in range(6)], lambda done, total: seen.append((done, total)))
    assert [item.text for item in found if isinstance(item, Completion)] == [f"question {n}" for n in range(6)]
    assert seen[0] == (0, 6)
    assert seen[-1] == (6, 6)


def test_what_arrived_is_never_asked_again(tmp_path: Path) -> None:
    with running(echo, tmp_path) as (group, server):
        first = group.complete_many([ask(1), ask(2), ask(1)])
        second = group.complete_many([ask(2), ask(1)])
        assert len(server.bodies) == 2
        assert [usage.cached for usage in group.usage()] == [2]
    assert [item.text for item in first] == ["answer to question 1", "answer to question 2", "answer to question 1"]  # type: ignore[union-attr]
    assert all(isinstance(item, Completion) and item.cached for item in second)
    assert second[1].text == first[0].text  # type: ignore[union-attr]


def test_cache_survives_closing_and_depends_on_the_full_request(tmp_path: Path) -> None:
    with ScriptedServer(echo) as server:
        config = LlmConfig(endpoints=[EndpointConfig(name="scripted", base_url=server.base_url)])
        for _ in range(2):
            with LlmGroup(config, tmp_path / "llm.sqlite", seed=0) as group:
                group.complete_many([ask(1)])
        assert len(server.bodies) == 1
        variants = [
            ask(1, temperature=0.5),
            ask(1, seed=1),
            ask(1, max_tokens=11),
            ask(1, schema={"type": "object"}),
            ask(1, purpose="else"),
        ]
        with LlmGroup(config, tmp_path / "llm.sqlite", seed=0) as group:
            group.complete_many(variants)
        # All but the last differ in what is sent.
        assert len(server.bodies) == 5


@pytest.mark.parametrize(
    ("reply", "kind", "calls", "state"),
    [
        (Reply(status=500, raw=b"oops"), "server-error", 3, "rejected"),
        (Reply(status=429, raw=b"{}"), "rate-limited", 3, "rejected"),
        (Reply(status=400, raw=b'{"error": "too long"}'), "refused", 1, "rejected"),
        (Reply(status=302, raw=b"", headers={"Location": "/elsewhere"}), "refused", 1, "rejected"),
        (Reply(closes=True), "connection-lost", 3, "unknown"),
        (Reply(text="late", delay_s=5.0), "timeout", 3, "unknown"),
        (Reply(raw=b"<html>Welcome to the hotel</html>"), "bad-response", 1, "done"),
        (Reply(raw=b'{"choices": [{"message": {"content": "cut'), "bad-response", 1, "done"),
        (Reply(raw=b'{"choices": []}'), "bad-response", 1, "done"),
        (Reply(raw=b'{"choices": [{"message": {"content": null}}]}'), "bad-response", 1, "done"),
        (Reply(raw=b"\xff\xfe\x00"), "bad-response", 1, "done"),
        (Reply(raw=b"[" * 100_000), "bad-response", 1, "done"),
        (Reply(raw=b""), "bad-response", 1, "done"),
    ],
)
def test_every_way_to_fail_has_a_kind_and_a_count(tmp_path: Path, reply: Reply, kind: str, calls: int, state: str) -> None:
    with running(lambda body, number: reply, tmp_path, max_retries=2, timeout_s=0.3 if kind == "timeout" else 60.0) as (
        group,
        server,
    ):
        (found,) = group.complete_many([ask(1)])
        assert isinstance(found, Failure)
        assert found.kind == kind
        assert len(server.bodies) == calls
        (usage,) = group.usage()
        assert usage.failures == {kind: 1}
        assert usage.unknown == (calls if state == "unknown" else 0)
    assert states(tmp_path) == {state: calls}


def test_failures_do_not_take_others_with_them(tmp_path: Path) -> None:
    def script(body: dict[str, Any], number: int) -> Reply:
        return Reply(raw=b"<html>") if "question 1" in body["messages"][0]["content"] else echo(body, number)

    with running(script, tmp_path) as (group, _):
        found = group.complete_many([ask(n) for n in range(3)])
    assert [type(item) for item in found] == [Completion, Failure, Completion]


def test_transient_errors_are_retried(tmp_path: Path) -> None:
    replies = [Reply(status=503, raw=b""), Reply(closes=True), Reply(text="at last")]
    with running(lambda body, number: replies[number], tmp_path) as (group, _):
        (found,) = group.complete_many([ask(1)])
    assert isinstance(found, Completion)
    assert found.text == "at last"
    assert states(tmp_path) == {"rejected": 1, "unknown": 1, "done": 1}


def test_retry_after_makes_everybody_wait(tmp_path: Path) -> None:
    import time

    times: list[float] = []

    def script(body: dict[str, Any], number: int) -> Reply:
        times.append(time.monotonic())
        return Reply(status=429, raw=b"{}", headers={"Retry-After": "0.4"}) if number == 0 else echo(body, number)

    with running(script, tmp_path, concurrency=1) as (group, _):
        found = group.complete_many([ask(1), ask(2)])
    assert all(isinstance(item, Completion) for item in found)
    assert len(times) == 3
    assert times[1] - times[0] >= 0.4


def test_a_pause_of_hours_is_not_slept_through(tmp_path: Path) -> None:
    with running(lambda body, number: Reply(status=429, raw=b"{}", headers={"Retry-After": "7200"}), tmp_path) as (group, server):
        (found,) = group.complete_many([ask(1)])
        assert isinstance(found, Failure)
        assert found.kind == "rate-limited"
        assert len(server.bodies) == 1


def test_a_bad_response_is_kept_and_not_asked_again(tmp_path: Path) -> None:
    with running(lambda body, number: Reply(raw=b"<html>"), tmp_path) as (group, server):
        group.complete_many([ask(1)])
        (again,) = group.complete_many([ask(1)])
        assert isinstance(again, Failure)
        assert again.cached
        assert len(server.bodies) == 1


def test_a_rejected_call_may_be_asked_again(tmp_path: Path) -> None:
    with running(lambda body, number: Reply(status=400, raw=b"no") if number == 0 else echo(body, number), tmp_path) as (
        group,
        _,
    ):
        assert isinstance(group.complete_many([ask(1)])[0], Failure)
        assert isinstance(group.complete_many([ask(1)])[0], Completion)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_wrong_key_or_model_stops_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    monkeypatch.setenv("TEST_KEY", "sk-very-secret")
    reply = Reply(status=status, raw=b'{"error": "bad key sk-very-secret"}')
    with (
        running(lambda body, number: reply, tmp_path, api_key_env="TEST_KEY") as (group, server),
        pytest.raises(ProviderError, match="TEST_KEY") as caught,
    ):
        group.complete_many([ask(n) for n in range(50)])
    assert "very-secret" not in str(caught.value)
    assert b"very-secret" not in (tmp_path / "llm.sqlite").read_bytes()
    # 403 may be about one question: it takes 20 of them, with up to 8 under way.
    assert len(server.bodies) <= (28 if status == 403 else 8)


def test_a_missing_key_variable_is_named_and_nothing_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEST_KEY", raising=False)
    with running(echo, tmp_path, api_key_env="TEST_KEY") as (group, server):
        with pytest.raises(UserError, match="TEST_KEY"):
            group.complete_many([ask(1)])
        assert server.bodies == []
        assert group.budget.spent.calls == 0
    assert states(tmp_path) == {}


def test_an_unreachable_server_is_named_at_once(tmp_path: Path) -> None:
    with ScriptedServer(echo) as server:
        gone = server.base_url
    config = LlmConfig(endpoints=[EndpointConfig(name="scripted", base_url=gone)], max_calls=100)
    with LlmGroup(config, tmp_path / "llm.sqlite", seed=0) as group:
        with pytest.raises(ProviderError, match=gone):
            group.complete_many([ask(n) for n in range(20)])
        # Nothing reached anybody: the budget is untouched.
        assert group.budget.spent.calls == 0
    assert set(states(tmp_path)) == {"not sent"}


def test_the_body_is_what_the_server_expects(tmp_path: Path) -> None:
    schema = {"type": "object"}
    with running(echo, tmp_path) as (group, server):
        group.complete_many([ask(1, seed=7, temperature=0.5, schema=schema)])
    assert server.paths == ["/v1/chat/completions"]
    assert server.bodies == [
        {
            "model": "scripted",
            "messages": [{"role": "user", "content": "question 1"}],
            "max_tokens": 10,
            "temperature": 0.5,
            "seed": 7,
            "response_format": {"type": "json_schema", "json_schema": {"name": "reply", "schema": schema, "strict": True}},
        }
    ]


def test_no_schema_goes_to_a_server_that_has_none(tmp_path: Path) -> None:
    with running(echo, tmp_path, json_schema=False) as (group, server):
        group.complete_many([ask(1, schema={"type": "object"})])
    assert "response_format" not in server.bodies[0]


def test_no_more_calls_at_once_than_configured(tmp_path: Path) -> None:
    with running(lambda body, number: Reply(text="x", delay_s=0.02), tmp_path, concurrency=3) as (group, server):
        group.complete_many([ask(n) for n in range(12)])
    assert server.most_at_once == 3


def test_cost_is_tokens_times_price(tmp_path: Path) -> None:
    # The scripted server counts words: 2 in the prompt, 4 in the reply. 2 * 3 + 4 * 10 = 46 per million.
    with running(echo, tmp_path, price_prompt_per_million=3.0, price_completion_per_million=10.0) as (group, _):
        group.complete_many([ask(1), ask(2)])
        (usage,) = group.usage()
    assert (usage.calls, usage.prompt_tokens, usage.completion_tokens) == (2, 4, 8)
    assert usage.cost == pytest.approx(92e-6)


def test_calls_stop_before_the_budget_is_exceeded(tmp_path: Path) -> None:
    with running(echo, tmp_path, max_calls=3) as (group, server):
        found = group.complete_many([ask(n) for n in range(5)])
        assert [type(item) for item in found] == [Completion] * 3 + [Failure] * 2
        assert [item.kind for item in found if isinstance(item, Failure)] == ["budget", "budget"]
        assert len(server.bodies) == 3
        # What is cached costs nothing and still answers.
        assert isinstance(group.complete_many([ask(0)])[0], Completion)


@pytest.mark.parametrize(
    ("setting", "limit"),
    [
        # A question has 10 bytes + 8 + 1 = 19 prompt tokens at most and 10 of reply: 29 before, 2 + 4 = 6 after the call.
        # 3 calls: 6 + 6 + 29 = 41 fits, a fourth would need 18 + 29 = 47.
        ("max_tokens", 46),
        ("max_cost", 46e-6),
    ],
)
def test_estimates_hold_the_token_and_money_budget(tmp_path: Path, setting: str, limit: float) -> None:
    prices = {"price_prompt_per_million": 1.0, "price_completion_per_million": 1.0}
    with running(echo, tmp_path, **{setting: limit}, **prices) as (group, server):
        found = group.complete_many([ask(n) for n in range(6)])
        assert len(server.bodies) == 3
        assert sum(isinstance(item, Completion) for item in found) == 3
        assert group.budget.spent.tokens == 18


def test_a_budget_of_nothing_sends_nothing(tmp_path: Path) -> None:
    with running(echo, tmp_path, max_calls=0) as (group, server):
        assert isinstance(group.complete_many([ask(1)])[0], Failure)
        assert server.bodies == []


def test_the_estimate_sends_nothing_and_knows_the_cache(tmp_path: Path) -> None:
    with running(echo, tmp_path) as (group, server):
        group.complete_many([ask(1)])
        estimate = group.estimate([ask(1), ask(2), ask(2)])
        assert len(server.bodies) == 1
    assert estimate.cached == 1
    # 10 bytes // 3 + 8 + 1 = 12 prompt tokens about, 10 + 8 + 1 = 19 at most.
    assert (estimate.likely.calls, estimate.likely.prompt_tokens, estimate.likely.completion_tokens) == (1, 12, 10)
    assert (estimate.most.calls, estimate.most.prompt_tokens, estimate.most.completion_tokens) == (1, 19, 10)


def test_several_models_share_the_file_and_keep_their_own_accounts(tmp_path: Path) -> None:
    with ScriptedServer(echo) as one, ScriptedServer(lambda body, number: Reply(raw=b"<html>")) as two:
        endpoints = [
            EndpointConfig(name="one", base_url=one.base_url),
            EndpointConfig(name="two", base_url=two.base_url, model="big"),
        ]
        with LlmGroup(LlmConfig(endpoints=endpoints), tmp_path / "llm.sqlite", seed=0) as group:
            requests = [Request(endpoint=name, messages=(("user", "x"),), max_tokens=5) for name in ("two", "one")]
            found = group.complete_many(requests)
            usage = group.usage()
        assert two.bodies[0]["model"] == "big"
    assert [type(item) for item in found] == [Failure, Completion]
    assert [(item.model, item.calls, item.failures) for item in usage] == [("one", 1, {}), ("two", 1, {"bad-response": 1})]


@pytest.mark.parametrize(
    ("endpoints", "message"),
    [
        (
            [EndpointConfig(name="a", base_url="http://127.0.0.1:1/v1"), EndpointConfig(name="a", kind="embedded")],
            "'a' occurs twice",
        ),
        ([EndpointConfig(name="a")], "base_url"),
    ],
)
def test_a_wrong_configuration_is_refused_before_anything_is_opened(
    tmp_path: Path, endpoints: list[EndpointConfig], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        LlmGroup(LlmConfig(endpoints=endpoints), tmp_path / "llm.sqlite", seed=0)


def test_an_unknown_endpoint_is_named_with_the_known_ones(tmp_path: Path) -> None:
    with running(echo, tmp_path) as (group, _), pytest.raises(UserError, match="known: scripted"):
        group.complete_many([Request(endpoint="other", messages=(), max_tokens=1)])


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "llm.sqlite"
    path.write_text("this is no database, however long it is " * 100)
    with pytest.raises(StoreError, match=r"llm\.sqlite"):
        LlmGroup(LlmConfig(), path, seed=0)


def test_no_server_is_started_while_everything_is_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The embedded endpoint's answers are looked up by its weights, not by a port.
    started: list[int] = []
    monkeypatch.setattr("goldsmith.llm.client.EmbeddedServer", lambda **options: started.append(1))
    with LlmGroup(LlmConfig(), tmp_path / "llm.sqlite", seed=0) as group:
        request = Request(endpoint="smollm2-135m", messages=(("user", "x"),), max_tokens=5)
        key = group._key(request)
        call = group.ledger.begin(key, "smollm2-135m", "", group.budget.spent)
        body = b'{"choices": [{"message": {"content": "stored"}}], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}'
        group.ledger.finish(call, key, Stored(body=body), 200, group.budget.spent)
        (found,) = group.complete_many([request])
    assert isinstance(found, Completion)
    assert found.text == "stored"
    assert started == []


def test_closing_twice_does_nothing(tmp_path: Path) -> None:
    group = LlmGroup(LlmConfig(), tmp_path / "llm.sqlite", seed=0)
    group.close()
    calls: list[int] = []
    group.ledger.close = lambda: calls.append(1)  # type: ignore[method-assign]
    group.close()
    assert calls == []


def test_works_inside_a_running_loop(tmp_path: Path) -> None:
    import asyncio

    async def notebook(call: Callable[[], Any]) -> Any:
        return call()

    with running(echo, tmp_path) as (group, _):
        found = asyncio.run(notebook(lambda: group.complete_many([ask(1)])))
    assert isinstance(found[0], Completion)
