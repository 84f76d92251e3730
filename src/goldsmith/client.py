"""The Python client of a Goldsmith server, sync and async: rewards, or an exception; a failure never becomes a number.

A call has one deadline, within which it tries again what may succeed later: refused connections, 429 and 502 to 504, after as long as the
server asks for. What cannot succeed (a conversation that cannot be scored, no such model, no key) is raised at once.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import httpx2
from pydantic import BaseModel, ValidationError

from goldsmith.errors import DataError, ParseError, ProviderError
from goldsmith.types import Content
from goldsmith.wire import goldsmith as wire

RETRIED = frozenset({408, 429, 502, 503, 504})
KEY_VARIABLE = "GOLDSMITH_API_KEY"
FIRST_WAIT_S, LONGEST_WAIT_S = 0.25, 15.0
AT_ONCE = 128
"""Conversations of one request; more are sent in several, all within the call's deadline."""

Answer = TypeVar("Answer", bound=BaseModel)
Http = TypeVar("Http", httpx2.Client, httpx2.AsyncClient)
Messages = Sequence[Mapping[str, Any]]


class RewardUnavailable(ProviderError):
    """No reward within the deadline: the server could not be reached, or was busy all the time. The call may succeed later."""


class RewardRefused(ProviderError):
    """The server will not score this, now or later.

    Attributes:
        status: HTTP status.
        code: the server's reason, `not-scorable` for instance.
        details: one line for each conversation concerned.
    """

    def __init__(self, message: str, status: int, code: str, details: Sequence[str] = ()) -> None:
        """Hold the server's reason."""
        super().__init__(message)
        self.status, self.code, self.details = status, code, list(details)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Settings:
    url: str
    model: str | None
    deadline_s: float
    truncate: bool
    headers: dict[str, str]

    @classmethod
    def of(cls, url: str, api_key: str | None, model: str | None, deadline_s: float, truncate: bool) -> _Settings:
        if not url.startswith(("http://", "https://")):
            raise ProviderError(f"{url!r} is no address of a server; it begins with http:// or https://")
        key = api_key if api_key is not None else os.environ.get(KEY_VARIABLE)
        headers = {"authorization": f"Bearer {key}"} if key else {}
        return cls(url=url.rstrip("/"), model=model, deadline_s=deadline_s, truncate=truncate, headers=headers)

    def score(self, conversations: Sequence[Messages], on_failure: wire.OnFailure) -> dict[str, Any]:
        plain = [[dict(turn) for turn in turns] for turns in conversations]
        return {"conversations": plain, "model": self.model, "truncate": self.truncate, "on_failure": on_failure}

    def rank(self, context: Messages, replies: Sequence[Content]) -> dict[str, Any]:
        return {
            "context": [dict(turn) for turn in context],
            "replies": list(replies),
            "model": self.model,
            "truncate": self.truncate,
        }

    def compare(self, context: Messages, first: Content, second: Content) -> dict[str, Any]:
        turns = [dict(turn) for turn in context]
        return {"context": turns, "first": first, "second": second, "model": self.model, "truncate": self.truncate}


class _Attempts:
    """The tries of one call: what to do after each, until its deadline."""

    def __init__(self, settings: _Settings, left_s: float | None = None) -> None:
        self._settings, self._ends = settings, time.monotonic() + (settings.deadline_s if left_s is None else left_s)
        self._tries = 0

    @property
    def left_s(self) -> float:
        return self._ends - time.monotonic()

    def check(self) -> None:
        """Raise a timeout when the deadline is over; for what comes piece by piece, each within its own time."""
        if self.left_s <= 0:
            raise httpx2.ReadTimeout("the answer comes too slowly")

    def wait_after(self, failed: httpx2.Response | httpx2.HTTPError) -> float:
        """Return how long to wait before the next try.

        Raises:
            RewardRefused: there is no use in trying again.
            RewardUnavailable: the deadline would pass.
        """
        self._tries += 1
        if isinstance(failed, httpx2.Response) and failed.status_code not in RETRIED:
            raise _refusal(failed)
        longest = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0**self._tries)
        wait_s = max(_asked_for(failed), random.uniform(longest / 2, longest))
        if wait_s >= self.left_s:
            raise RewardUnavailable(
                f"{self._settings.url}: no reward within {self._settings.deadline_s:g} s and {self._tries} tries; the last one: "
                f"{_told(failed)}"
            )
        return wait_s


class _Left(dict[str, float]):
    """Timeouts of one request as httpx2 asks for them, phase by phase; each phase has what is left of the deadline."""

    def __init__(self, attempts: _Attempts) -> None:
        super().__init__()
        self._attempts = attempts

    def get(self, name: str, default: Any = None) -> float:  # type: ignore[override]
        return max(0.001, self._attempts.left_s)


class _PerProcess(Generic[Http]):
    """Connections that a forked process does not take over: on shared ones it could read the answer to its parent's question."""

    def __init__(self, make: Callable[[], Http]) -> None:
        self._make, self._pid, self._http = make, os.getpid(), make()

    def get(self) -> Http:
        if self._pid != os.getpid():
            self._pid, self._http = os.getpid(), self._make()
        return self._http


class Client:
    """Asks a server for rewards; use as a context manager, or call `close`. Threads may share one, and so may forked processes."""

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        model: str | None = None,
        deadline_s: float = 120.0,
        truncate: bool = False,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        """Name the server.

        Args:
            url: its address.
            api_key: none: the environment variable GOLDSMITH_API_KEY, where it is set.
            model: name of the served model; none: its first.
            deadline_s: of each call, all its tries included.
            truncate: have conversations cut that are too long, instead of refused.
            transport: of httpx2, for tests.
        """
        self._settings = _Settings.of(url, api_key, model, deadline_s, truncate)
        headers = self._settings.headers
        self._http = _PerProcess(lambda: httpx2.Client(headers=headers, transport=transport, trust_env=False))

    def score(self, conversations: Sequence[Messages]) -> list[float]:
        """Return the raw reward of each conversation's last message, in order.

        Raises:
            RewardRefused: one cannot be scored.
            RewardUnavailable: no answer within the deadline.
        """
        return _scores(self.rate(conversations, on_failure="refuse"))

    def rate(self, conversations: Sequence[Messages], *, on_failure: wire.OnFailure = "report") -> list[wire.Scored]:
        """Return for each conversation its reward, or the reason why it has none."""
        attempts, results = _Attempts(self._settings), list[wire.Scored]()
        for some in _pieces(conversations):
            found = self._post("/goldsmith/v1/score", self._settings.score(some, on_failure), wire.ScoreReply, attempts)
            results += _counted(found.results, len(some), on_failure)
        return results

    def rank(self, context: Messages, replies: Sequence[Content]) -> wire.RankReply:
        """Return the replies to a context, best first, with probabilities to be the best of all."""
        return _complete(self._post("/goldsmith/v1/rank", self._settings.rank(context, replies), wire.RankReply), len(replies))

    def compare(self, context: Messages, first: Content, second: Content) -> wire.CompareReply:
        """Return the rewards of two replies, and the probability that the first is the better one."""
        return self._post("/goldsmith/v1/compare", self._settings.compare(context, first, second), wire.CompareReply)

    @property
    def deadline_s(self) -> float:
        """Of each call, all its tries included."""
        return self._settings.deadline_s

    def post(self, path: str, body: dict[str, Any], kind: type[Answer], *, left_s: float | None = None) -> Answer:
        """Return the reply to a request of any dialect, tried again like every other call.

        Args:
            path: of the server.
            body: of the request.
            kind: the reply's type.
            left_s: of a deadline that holds for several calls; none: the client's.

        Raises:
            RewardRefused: the server does not answer this.
            RewardUnavailable: no answer within the deadline.
        """
        return self._post(path, body, kind, _Attempts(self._settings, left_s))

    def close(self) -> None:
        """Close the connections."""
        self._http.get().close()

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the connections."""
        self.close()

    def _post(self, path: str, body: dict[str, Any], kind: type[Answer], attempts: _Attempts | None = None) -> Answer:
        attempts, content = attempts or _Attempts(self._settings), _encoded(body)
        while True:
            failed: httpx2.Response | httpx2.HTTPError
            try:
                response = self._once(self._settings.url + path, content, attempts)
                if response.status_code == 200:
                    return _read(response, kind)
                failed = response
            except httpx2.HTTPError as error:
                failed = error
            time.sleep(attempts.wait_after(failed))

    def _once(self, url: str, content: bytes, attempts: _Attempts) -> httpx2.Response:
        limits = {"timeout": _Left(attempts)}
        with self._http.get().stream("POST", url, content=content, headers=_JSON, extensions=limits) as response:
            pieces = []
            for piece in response.iter_bytes():
                pieces.append(piece)
                attempts.check()
        return _whole(response, b"".join(pieces))


class AsyncClient:
    """Asks a server for rewards; use as an async context manager, or call `close`. See `Client` for the arguments."""

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        model: str | None = None,
        deadline_s: float = 120.0,
        truncate: bool = False,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        """Name the server."""
        self._settings = _Settings.of(url, api_key, model, deadline_s, truncate)
        headers, limits = self._settings.headers, httpx2.Limits(max_connections=256, max_keepalive_connections=256)
        self._http = _PerProcess(
            lambda: httpx2.AsyncClient(headers=headers, transport=transport, limits=limits, timeout=None, trust_env=False)
        )

    async def score(self, conversations: Sequence[Messages]) -> list[float]:
        """Return the raw reward of each conversation's last message, in order; see `Client.score`."""
        return _scores(await self.rate(conversations, on_failure="refuse"))

    async def rate(self, conversations: Sequence[Messages], *, on_failure: wire.OnFailure = "report") -> list[wire.Scored]:
        """Return for each conversation its reward, or the reason why it has none."""
        attempts, results = _Attempts(self._settings), list[wire.Scored]()
        for some in _pieces(conversations):
            found = await self._post("/goldsmith/v1/score", self._settings.score(some, on_failure), wire.ScoreReply, attempts)
            results += _counted(found.results, len(some), on_failure)
        return results

    async def rank(self, context: Messages, replies: Sequence[Content]) -> wire.RankReply:
        """Return the replies to a context, best first, with probabilities to be the best of all."""
        found = await self._post("/goldsmith/v1/rank", self._settings.rank(context, replies), wire.RankReply)
        return _complete(found, len(replies))

    async def compare(self, context: Messages, first: Content, second: Content) -> wire.CompareReply:
        """Return the rewards of two replies, and the probability that the first is the better one."""
        return await self._post("/goldsmith/v1/compare", self._settings.compare(context, first, second), wire.CompareReply)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.get().aclose()

    async def __aenter__(self) -> Self:
        """Return the client."""
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the connections."""
        await self.close()

    async def _post(self, path: str, body: dict[str, Any], kind: type[Answer], attempts: _Attempts | None = None) -> Answer:
        attempts, content = attempts or _Attempts(self._settings), _encoded(body)
        while True:
            failed: httpx2.Response | httpx2.HTTPError
            try:
                async with asyncio.timeout(max(0.001, attempts.left_s)):
                    response = await self._http.get().post(self._settings.url + path, content=content, headers=_JSON)
                if response.status_code == 200:
                    return _read(response, kind)
                failed = response
            except TimeoutError:
                failed = httpx2.ReadTimeout("the answer comes too slowly")
            except httpx2.HTTPError as error:
                failed = error
            await asyncio.sleep(attempts.wait_after(failed))


_JSON = {"content-type": "application/json"}


def _encoded(body: dict[str, Any]) -> bytes:
    """Return a request as JSON.

    Raises:
        DataError: it holds what JSON cannot: half a character, a number that is none, an object.
    """
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError) as error:
        raise DataError(f"a conversation cannot be sent as JSON ({error}); mend or drop it") from None


def _whole(response: httpx2.Response, content: bytes) -> httpx2.Response:
    """Return a response that was read piece by piece as one that holds its body, which was decoded on the way."""
    headers = {name: value for name, value in response.headers.items() if name not in ("content-encoding", "content-length")}
    return httpx2.Response(response.status_code, headers=headers, content=content, request=response.request)


def _read(response: httpx2.Response, kind: type[Answer]) -> Answer:
    try:
        return kind.model_validate_json(response.content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ParseError(
            f"{response.url}: the reply is no {kind.__name__} ({place}: {first['msg']}); is it a Goldsmith server?"
        ) from None


def _pieces(conversations: Sequence[Messages]) -> list[Sequence[Messages]]:
    return [conversations[begin : begin + AT_ONCE] for begin in range(0, len(conversations), AT_ONCE)]


def _counted(results: list[wire.Scored], wanted: int, on_failure: wire.OnFailure) -> list[wire.Scored]:
    odd = [found for found in results if (found.score is None) == (found.failure is None)]
    failed = on_failure == "refuse" and any(found.score is None for found in results)
    if len(results) != wanted or odd or failed:
        raise ParseError(
            f"{wanted} conversations were sent, and {len(results)} results came back, not all of them usable; none is used"
        )
    return results


def _complete(found: wire.RankReply, wanted: int) -> wire.RankReply:
    if sorted(place.index for place in found.ranking) != list(range(wanted)):
        raise ParseError(f"{wanted} replies were sent, and {len(found.ranking)} came back; none is used")
    return found


def _scores(results: Sequence[wire.Scored]) -> list[float]:
    return [found.score for found in results if found.score is not None]


def _refusal(response: httpx2.Response) -> RewardRefused:
    try:
        problem = wire.ProblemReply.model_validate_json(response.content).error
    except ValidationError:
        # Another dialect's shape, or somebody else's server.
        code = response.headers.get("x-goldsmith-error", "unknown")
        problem = wire.Problem(code=code, message=response.text[:300] or "no reason is given", retryable=False)
    message = f"{response.url}: {response.status_code} {problem.code}: {problem.message}"
    return RewardRefused(message, response.status_code, problem.code, problem.details)


def _asked_for(failed: httpx2.Response | httpx2.HTTPError) -> float:
    value = failed.headers.get("retry-after", "") if isinstance(failed, httpx2.Response) else ""
    return min(float(value), 1e9) if value.isascii() and value.isdigit() else 0.0


def _told(failed: httpx2.Response | httpx2.HTTPError) -> str:
    return f"HTTP {failed.status_code}" if isinstance(failed, httpx2.Response) else f"{type(failed).__name__} {failed}".strip()
