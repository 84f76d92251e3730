"""The Python client of a Goldsmith server, sync and async: rewards, or an exception; a failure never becomes a number.

A call has one deadline, within which it tries again what may succeed later: refused connections, 429 and 502 to 504, after as long as the
server asks for. What cannot succeed (a conversation that cannot be scored, no such model, no key) is raised at once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2

from goldsmith.client.answers import JSON, Answer, complete, counted, encoded, pieces, read, scores, whole
from goldsmith.client.attempts import Attempts, Left, Messages, PerProcess, Settings
from goldsmith.types import Content
from goldsmith.wire import goldsmith as wire


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
        ca_file: str | Path | None = None,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        """Name the server.

        Args:
            url: its address.
            api_key: none: the environment variable GOLDSMITH_API_KEY, where it is set.
            model: name of the served model; none: its first.
            deadline_s: of each call, all its tries included.
            truncate: have conversations cut that are too long, instead of refused.
            ca_file: certificates (PEM) to check the server's against; none: what GOLDSMITH_CA_FILE names, else the usual ones.
            transport: of httpx2, for tests.
        """
        self._settings = Settings.of(url, api_key, model, deadline_s, truncate, ca_file)
        options: dict[str, Any] = {"headers": self._settings.headers, "verify": self._settings.verify, "transport": transport}
        self._http = PerProcess(lambda: httpx2.Client(**options, trust_env=False))

    def score(self, conversations: Sequence[Messages]) -> list[float]:
        """Return the raw reward of each conversation's last message, in order.

        Raises:
            RewardRefused: one cannot be scored.
            RewardUnavailable: no answer within the deadline.
        """
        return scores(self.rate(conversations, on_failure="refuse"))

    def rate(self, conversations: Sequence[Messages], *, on_failure: wire.OnFailure = "report") -> list[wire.Scored]:
        """Return for each conversation its reward, or the reason why it has none."""
        attempts, results = Attempts(self._settings), list[wire.Scored]()
        for some in pieces(conversations):
            found = self._post("/goldsmith/v1/score", self._settings.score(some, on_failure), wire.ScoreReply, attempts)
            results += counted(found.results, len(some), on_failure)
        return results

    def rank(self, context: Messages, replies: Sequence[Content]) -> wire.RankReply:
        """Return the replies to a context, best first, with probabilities to be the best of all."""
        return complete(self._post("/goldsmith/v1/rank", self._settings.rank(context, replies), wire.RankReply), len(replies))

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
        return self._post(path, body, kind, Attempts(self._settings, left_s))

    def close(self) -> None:
        """Close the connections."""
        self._http.get().close()

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the connections."""
        self.close()

    def _post(self, path: str, body: dict[str, Any], kind: type[Answer], attempts: Attempts | None = None) -> Answer:
        attempts, content = attempts or Attempts(self._settings), encoded(body)
        while True:
            failed: httpx2.Response | httpx2.HTTPError
            try:
                response = self._once(self._settings.url + path, content, attempts)
                if response.status_code == 200:
                    return read(response, kind)
                failed = response
            except httpx2.HTTPError as error:
                failed = error
            time.sleep(attempts.wait_after(failed))

    def _once(self, url: str, content: bytes, attempts: Attempts) -> httpx2.Response:
        limits = {"timeout": Left(attempts)}
        with self._http.get().stream("POST", url, content=content, headers=JSON, extensions=limits) as response:
            parts = []
            for part in response.iter_bytes():
                parts.append(part)
                attempts.check()
        return whole(response, b"".join(parts))


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
        ca_file: str | Path | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        """Name the server."""
        self._settings = Settings.of(url, api_key, model, deadline_s, truncate, ca_file)
        options: dict[str, Any] = {"headers": self._settings.headers, "verify": self._settings.verify, "transport": transport}
        limits = httpx2.Limits(max_connections=256, max_keepalive_connections=256)
        # No timeout of its own: each try as a whole has what is left of the deadline.
        self._http = PerProcess(lambda: httpx2.AsyncClient(**options, limits=limits, timeout=None, trust_env=False))

    async def score(self, conversations: Sequence[Messages]) -> list[float]:
        """Return the raw reward of each conversation's last message, in order; see `Client.score`."""
        return scores(await self.rate(conversations, on_failure="refuse"))

    async def rate(self, conversations: Sequence[Messages], *, on_failure: wire.OnFailure = "report") -> list[wire.Scored]:
        """Return for each conversation its reward, or the reason why it has none."""
        attempts, results = Attempts(self._settings), list[wire.Scored]()
        for some in pieces(conversations):
            found = await self._post("/goldsmith/v1/score", self._settings.score(some, on_failure), wire.ScoreReply, attempts)
            results += counted(found.results, len(some), on_failure)
        return results

    async def rank(self, context: Messages, replies: Sequence[Content]) -> wire.RankReply:
        """Return the replies to a context, best first, with probabilities to be the best of all."""
        found = await self._post("/goldsmith/v1/rank", self._settings.rank(context, replies), wire.RankReply)
        return complete(found, len(replies))

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

    async def _post(self, path: str, body: dict[str, Any], kind: type[Answer], attempts: Attempts | None = None) -> Answer:
        attempts, content = attempts or Attempts(self._settings), encoded(body)
        while True:
            failed: httpx2.Response | httpx2.HTTPError
            try:
                async with asyncio.timeout(max(0.001, attempts.left_s)):
                    response = await self._http.get().post(self._settings.url + path, content=content, headers=JSON)
                if response.status_code == 200:
                    return read(response, kind)
                failed = response
            except TimeoutError:
                failed = httpx2.ReadTimeout("the answer comes too slowly")
            except httpx2.HTTPError as error:
                failed = error
            await asyncio.sleep(attempts.wait_after(failed))
