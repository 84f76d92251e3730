"""One endpoint: sends a request once, and tells what came of it. No retries, no cache, no parsing here."""

from __future__ import annotations

import asyncio
import json
import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from goldsmith.config.llm import EndpointConfig
from goldsmith.errors import UserError
from goldsmith.llm.embedded import EmbeddedServer
from goldsmith.llm.gate import Gate
from goldsmith.llm.request import Request, request_key
from goldsmith.llm.retry import Attempt
from goldsmith.llm.wire import exchange, open_session

if TYPE_CHECKING:
    import aiohttp

EMBEDDED_SLOTS = 2
EMBEDDED_TIMEOUTS = 5
"""The embedded server shares the processor with whatever else runs: it may take this many times `timeout_s`."""
SHORTEST_SECRET = 8
"""Characters of a key that is taken out of answers: servers without keys are given words like `EMPTY`, which texts hold too."""
HIDDEN = "***"


class Endpoint:
    """A model behind an address. The embedded server is started by the first call, and stopped by `close`.

    Attributes:
        config: its entry in `llm.endpoints`.
        timeout_s: seconds for one call.
        gate: how many calls it gets at once.
        has_answered: it gave a 2xx response since the group was made.
        forbidden: questions that it forbade since then.
        takes_schema: it answered a request with a schema (True), or answered only without (False); None: not known yet.
        gone_until_s: the event loop's time before which it asked not to be called, when that is too far away to wait.
    """

    def __init__(self, config: EndpointConfig, *, concurrency: int, timeout_s: float) -> None:
        """Check the configuration; nothing is opened.

        Raises:
            UserError: the address is missing.
        """
        self.config = config
        is_embedded = config.kind == "embedded"
        self.timeout_s = timeout_s * EMBEDDED_TIMEOUTS if is_embedded else timeout_s
        # No more calls than the embedded server has slots: one that waits in its queue would run out of time there.
        self.gate = Gate(min(concurrency, EMBEDDED_SLOTS) if is_embedded else concurrency)
        self.has_answered = False
        self.forbidden = 0
        self.takes_schema: bool | None = None if config.json_schema else False
        self.gone_until_s = 0.0
        self._server: EmbeddedServer | None = None
        self._session: aiohttp.ClientSession | None = None
        self._url = ""
        self._start = asyncio.Lock()
        if config.kind == "openai" and not config.base_url:
            raise UserError(
                f"llm.endpoints '{config.name}' has no base_url; give the server's address, for example "
                "http://localhost:8000/v1, or set kind = 'embedded'"
            )

    @property
    def address(self) -> str:
        """What the cache knows the endpoint by; the embedded server's port changes, its weights do not."""
        if self.config.kind == "embedded":
            from goldsmith.models.smollm2 import GGUF_SHA256

            return f"embedded:{GGUF_SHA256}"
        return str(self.config.base_url).rstrip("/")

    @property
    def model(self) -> str:
        """The server's name of the model."""
        return self.config.model or self.config.name

    def body(self, request: Request, *, with_schema: bool) -> dict[str, Any]:
        """Return what is sent for a request."""
        return request.body(self.model, json_schema=with_schema)

    def key(self, request: Request, *, with_schema: bool) -> str:
        """Return the name of a request in ledger and cache."""
        return request_key(self.address, self.body(request, with_schema=with_schema))

    def check(self) -> None:
        """Find out before the first call whether there is a key.

        Raises:
            UserError: the API key's variable is not set.
        """
        self._key()

    async def send(self, body: dict[str, Any]) -> Attempt:
        """Send one request and return what came; every way in which a server can fail is an `Attempt`, not an exception.

        Raises:
            UserError: the API key's variable is not set, or the embedded model is not installed.
            ProviderError: the embedded server does not start.
        """
        await self.open()
        assert self._session is not None
        content = json.dumps(body, ensure_ascii=False).encode("utf-8")
        began_s = time.monotonic()
        attempt = self._without_key(await exchange(self._session, self._url, content, self.timeout_s))
        self.has_answered |= attempt.cause == "answered"
        return replace(attempt, seconds=time.monotonic() - began_s)

    async def open(self) -> None:
        """Start the embedded server, where it is one, and make the session; once."""
        async with self._start:
            if self._session is not None:
                return
            base_url, key = str(self.config.base_url), self._key()
            if self.config.kind == "embedded":
                self._server = await asyncio.to_thread(EmbeddedServer(slots=EMBEDDED_SLOTS).start)
                base_url = self._server.base_url
            self._url = f"{base_url.rstrip('/')}/chat/completions"
            self._session = open_session(base_url, key)

    async def close(self) -> None:
        """Close connections and stop the embedded server."""
        session, self._session = self._session, None
        server, self._server = self._server, None
        if session is not None:
            await session.close()
        if server is not None:
            await asyncio.to_thread(server.stop)

    def _key(self) -> str | None:
        name = self.config.api_key_env
        if not name:
            return None
        key = os.environ.get(name, "").strip()
        where = f"llm.endpoints '{self.config.name}': the environment variable {name} (api_key_env)"
        if not key:
            raise UserError(f"{where} is not set; export it before the run, or leave api_key_env out for a server without keys")
        if not (key.isascii() and key.isprintable()):
            raise UserError(f"{where} holds characters that no HTTP header can carry; export the key alone")
        return key

    def _without_key(self, attempt: Attempt) -> Attempt:
        """Servers quote keys, in errors above all; ours go nowhere."""
        key = os.environ.get(self.config.api_key_env or "", "").strip()
        if key and attempt.detail:
            attempt = replace(attempt, detail=attempt.detail.replace(key, HIDDEN))
        if len(key) >= SHORTEST_SECRET and key.encode() in attempt.body:
            attempt = replace(attempt, body=attempt.body.replace(key.encode(), HIDDEN.encode()))
        return attempt
