"""The client tries again what may succeed, until its deadline, and never makes a number of a failure."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import inspect
import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from goldsmith.client import AsyncClient, Client, RewardRefused, RewardUnavailable
from goldsmith.client.attempts import PerProcess
from goldsmith.errors import DataError, GoldsmithError, ParseError, ProviderError

URL = "http://reward.test"
CONVERSATION = [{"role": "user", "content": "What is 2 + 2?"}, {"role": "assistant", "content": "4"}]
Handler = Callable[[httpx2.Request], httpx2.Response]


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.slept = 0.0, [0.0][:0]
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(time, "sleep", self.sleep)
        monkeypatch.setattr(asyncio, "sleep", self.sleep_async)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    async def sleep_async(self, seconds: float) -> None:
        self.sleep(seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def _result(*scores: Any) -> httpx2.Response:
    results = [{"score": score, "failure": None if score is not None else "why"} for score in scores]
    return httpx2.Response(200, json={"model": "m", "model_digest": "d", "activation": "none", "results": results})


def _problem(status: int, code: str, **headers: str) -> httpx2.Response:
    body = {"error": {"code": code, "message": "said", "retryable": status >= 500, "details": ["item 3"]}}
    return httpx2.Response(status, json=body, headers=headers)


def _call(answers: list[Any], *, is_async: bool, deadline_s: float = 60.0) -> tuple[list[float], list[Any]]:
    """Score one conversation against answers given in turn; the last one is given for ever."""
    asked: list[Any] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        asked.append(json.loads(request.content))
        answer = answers[min(len(asked), len(answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        # A response object can be read once.
        return httpx2.Response(answer.status_code, headers=answer.headers, content=answer.content)

    transport = httpx2.MockTransport(handler)
    if not is_async:
        with Client(URL, deadline_s=deadline_s, transport=transport) as client:
            return client.score([CONVERSATION]), asked

    async def work() -> list[float]:
        async with AsyncClient(URL, deadline_s=deadline_s, transport=transport) as client:
            return await client.score([CONVERSATION])

    return asyncio.run(work()), asked


BOTH = pytest.mark.parametrize("is_async", [False, True])


@BOTH
def test_a_score_comes_back(clock: Clock, is_async: bool) -> None:
    found, asked = _call([_result(1.5)], is_async=is_async)
    assert found == [1.5]
    assert asked == [{"conversations": [CONVERSATION], "model": None, "truncate": False, "on_failure": "refuse"}]


@BOTH
def test_what_may_succeed_later_is_tried_again(clock: Clock, is_async: bool) -> None:
    answers = [
        httpx2.ConnectError("refused"),
        _problem(503, "overloaded", **{"retry-after": "7"}),
        httpx2.ReadError("lost"),
        _result(2.0),
    ]
    found, asked = _call(answers, is_async=is_async)
    assert (found, len(asked)) == ([2.0], 4)
    # The server asked for 7 s.
    assert clock.slept[1] >= 7.0


@BOTH
@pytest.mark.parametrize("answer", [_problem(503, "overloaded"), _problem(429, "rate-limit"), httpx2.ConnectError("refused")])
def test_the_deadline_ends_in_an_exception(clock: Clock, is_async: bool, answer: Any) -> None:
    with pytest.raises(RewardUnavailable, match="no reward within 20 s"):
        _call([answer], is_async=is_async, deadline_s=20.0)
    assert clock.now <= 20.0


@BOTH
@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 500])
def test_what_cannot_succeed_is_raised_at_once(clock: Clock, is_async: bool, status: int) -> None:
    with pytest.raises(RewardRefused) as refused:
        _call([_problem(status, "reason")], is_async=is_async)
    assert (refused.value.status, refused.value.code, refused.value.details) == (status, "reason", ["item 3"])
    assert clock.slept == []


@BOTH
@pytest.mark.parametrize(
    "answer",
    [
        httpx2.Response(200, text="<html>a proxy</html>"),
        httpx2.Response(200, json={}),
        httpx2.Response(200, json=[]),
        httpx2.Response(200, content=b'{"model":"m","model_digest":"d","activation":"none","results":[{"score":NaN}]}'),
        _result(),
        _result(1.0, 2.0),
        _result(None),
    ],
)
def test_no_answer_that_is_not_whole_becomes_a_number(clock: Clock, is_async: bool, answer: httpx2.Response) -> None:
    with pytest.raises(ParseError):
        _call([answer], is_async=is_async)


def test_failures_are_reported_where_they_are_asked_for(clock: Clock) -> None:
    with Client(URL, transport=httpx2.MockTransport(lambda request: _result(1.0, None))) as client:
        found = client.rate([CONVERSATION, CONVERSATION])
    assert [(entry.score, entry.failure) for entry in found] == [(1.0, None), (None, "why")]


def test_a_ranking_that_lacks_a_reply_is_none(clock: Clock) -> None:
    answer = httpx2.Response(
        200, json={"model": "m", "model_digest": "d", "calibrated": False, "ranking": [{"index": 0, "score": 1.0, "p_best": 1.0}]}
    )
    with Client(URL, transport=httpx2.MockTransport(lambda request: answer)) as client, pytest.raises(ParseError):
        client.rank(CONVERSATION[:1], ["4", "5"])


def test_many_conversations_are_sent_in_several_requests_and_come_back_in_order(clock: Clock) -> None:
    sizes = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        given = json.loads(request.content)["conversations"]
        sizes.append(len(given))
        return _result(*(float(turns[-1]["content"]) for turns in given))

    many = [[*CONVERSATION[:1], {"role": "assistant", "content": str(number)}] for number in range(300)]
    with Client(URL, transport=httpx2.MockTransport(handler)) as client:
        assert client.score(many) == [float(number) for number in range(300)]
    assert sizes == [128, 128, 44]


def test_nothing_is_sent_for_nothing() -> None:
    def never(request: httpx2.Request) -> httpx2.Response:
        raise AssertionError

    with Client(URL, transport=httpx2.MockTransport(never)) as client:
        assert client.score([]) == []


def test_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.headers.get("authorization"))
        return _result(1.0)

    for environment, given, expected in (
        (None, None, None),
        ("env", None, "Bearer env"),
        ("env", "own", "Bearer own"),
        ("env", "", None),
    ):
        monkeypatch.delenv("GOLDSMITH_API_KEY", raising=False)
        if environment:
            monkeypatch.setenv("GOLDSMITH_API_KEY", environment)
        with Client(URL, api_key=given, transport=httpx2.MockTransport(handler)) as client:
            client.score([CONVERSATION])
        assert seen[-1] == expected


def test_an_address_needs_its_scheme() -> None:
    with pytest.raises(ProviderError, match="http://"):
        Client("reward.test:8600")
    assert issubclass(RewardUnavailable, GoldsmithError)


class Trickle(http.server.BaseHTTPRequestHandler):
    """Answers a score, rightly, one byte at a time: each within any read's own timeout, the whole far beyond the deadline."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        content = _result(1.0).content
        self.send_response(200)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        with contextlib.suppress(OSError):
            for byte in content:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                threading.Event().wait(0.1)

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


@BOTH
def test_the_deadline_holds_for_an_answer_that_trickles_in(is_async: bool) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Trickle) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"

        async def ask() -> list[float]:
            async with AsyncClient(url, deadline_s=0.5) as client:
                return await client.score([CONVERSATION])

        with pytest.raises(RewardUnavailable, match=r"no reward within 0\.5 s"):
            asyncio.run(ask()) if is_async else Client(url, deadline_s=0.5).score([CONVERSATION])
        server.shutdown()


def test_a_forked_process_has_connections_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []

    def make() -> Any:
        made.append(object())
        return made[-1]

    connections = PerProcess(make)
    assert connections.get() is connections.get() is made[0]
    # On its parent's connection a child could read the answer to its parent's question.
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert connections.get() is made[1]
    assert connections.get() is made[1]


@BOTH
@pytest.mark.parametrize("content", ["half a character \ud800", float("nan"), object()])
def test_what_json_cannot_hold_is_refused_before_it_is_sent(clock: Clock, is_async: bool, content: Any) -> None:
    def never(request: httpx2.Request) -> httpx2.Response:
        raise AssertionError

    turns = [*CONVERSATION[:1], {"role": "assistant", "content": content}]

    async def work() -> list[float]:
        async with AsyncClient(URL, transport=httpx2.MockTransport(never)) as client:
            return await client.score([turns])

    with pytest.raises(DataError, match="cannot be sent as JSON"):
        asyncio.run(work()) if is_async else Client(URL, transport=httpx2.MockTransport(never)).score([turns])


@pytest.mark.parametrize("chance", ["NaN", "1.5", "-0.1", "null", "Infinity"])
def test_a_probability_is_one_or_the_answer_is_none(clock: Clock, chance: str) -> None:
    compared = f'{{"model":"m","model_digest":"d","first":1.0,"second":0.0,"margin":1.0,"p_first":{chance},"calibrated":false}}'
    answer = httpx2.Response(200, content=compared.encode())
    with Client(URL, transport=httpx2.MockTransport(lambda request: answer)) as client, pytest.raises(ParseError):
        client.compare(CONVERSATION[:1], "4", "5")


def test_both_clients_have_the_same_methods_with_the_same_arguments() -> None:
    for name in ("__init__", "score", "rate", "rank", "compare"):
        ours, theirs = (inspect.signature(getattr(kind, name)).parameters for kind in (Client, AsyncClient))
        assert list(ours) == list(theirs), name
        assert [one.default for one in ours.values()] == [one.default for one in theirs.values()], name


def test_certificates_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "none.pem").write_text("no certificate")
    for name in ("none.pem", "missing.pem"):
        with pytest.raises(ProviderError, match=name):
            Client("https://reward.test", ca_file=tmp_path / name)
