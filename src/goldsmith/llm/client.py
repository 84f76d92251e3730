"""One endpoint: sends a request once, and tells what came of it. No retries, no cache, no parsing here."""

from __future__ import annotations

import asyncio
import ipaddress
import os
from typing import Any
from urllib.parse import urlsplit

from goldsmith.config.llm import EndpointConfig
from goldsmith.errors import UserError
from goldsmith.llm.embedded import EmbeddedServer
from goldsmith.llm.retry import Attempt, causes, parse_retry_after

EMBEDDED_SLOTS = 2
EMBEDDED_TIMEOUTS = 5
"""The embedded server shares the processor with whatever else runs: it may take this many times `timeout_s`."""
NO_KEY = "none"
"""What is sent where no key is configured: the client library insists on one."""


class Endpoint:
    """A model behind an address. The embedded server is started by the first call, and stopped by `close`."""

    def __init__(self, config: EndpointConfig, *, concurrency: int, timeout_s: float) -> None:
        """Check the configuration; nothing is opened.

        Raises:
            UserError: the address or the key's environment variable is missing.
        """
        self.config = config
        is_embedded = config.kind == "embedded"
        self.timeout_s = timeout_s * EMBEDDED_TIMEOUTS if is_embedded else timeout_s
        # No more calls than the embedded server has slots: one that waits in its queue would run out of time there.
        self.slots = asyncio.Semaphore(min(concurrency, EMBEDDED_SLOTS) if is_embedded else concurrency)
        self.has_answered = False
        self.resume_at = 0.0
        self._server: EmbeddedServer | None = None
        self._client: Any = None
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

    async def send(self, body: dict[str, Any]) -> Attempt:
        """Send one request and return what came; every way in which a server can fail is an `Attempt`, not an exception.

        Raises:
            UserError: the API key's variable is not set, or the embedded model is not installed.
            ProviderError: the embedded server does not start.
        """
        await self.open()
        import aiohttp
        import httpx2
        import openai

        try:
            # The library's own read time-out restarts with every byte; this one is for the whole exchange.
            # A redirect is an answer of somebody else than the server that was configured: not followed.
            options = {"follow_redirects": False}
            call = self._client.post("/chat/completions", body=body, cast_to=httpx2.Response, options=options)
            response = await asyncio.wait_for(call, self.timeout_s)
        except openai.APIStatusError as error:
            return Attempt(
                cause="status",
                status=error.status_code,
                retry_after_s=parse_retry_after(error.response.headers),
                detail=self._clean(f"HTTP {error.status_code}: {error.response.text[:300]}"),
            )
        except (openai.APIConnectionError, aiohttp.ClientError, TimeoutError, httpx2.HTTPError) as error:
            return self._no_answer(error)
        self.has_answered = True
        return Attempt(cause="answered", status=response.status_code, body=response.content)

    async def open(self) -> None:
        """Start the embedded server, where it is one, and make the client; once."""
        async with self._start:
            if self._client is not None:
                return
            base_url, key = str(self.config.base_url), self._key()
            if self.config.kind == "embedded":
                self._server = await asyncio.to_thread(EmbeddedServer(slots=EMBEDDED_SLOTS).start)
                base_url = self._server.base_url
            self._client = _open_client(base_url, key, self.timeout_s)

    async def close(self) -> None:
        """Close connections and stop the embedded server."""
        client, self._client = self._client, None
        server, self._server = self._server, None
        if client is not None:
            await client.close()
        if server is not None:
            await asyncio.to_thread(server.stop)

    def _no_answer(self, error: BaseException) -> Attempt:
        import aiohttp

        chain = list(causes(error))
        detail = self._clean(f"{type(chain[-1]).__name__}: {chain[-1]}")
        # aiohttp's exceptions tell a refused connection from a dropped one; the client library calls both a time-out.
        if any(
            isinstance(cause, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL))
            for cause in chain
        ):
            return Attempt(cause="unreachable", detail=detail)
        if any(isinstance(cause, (TimeoutError, aiohttp.ServerTimeoutError)) for cause in chain):
            return Attempt(cause="timeout", detail=f"no answer within {self.timeout_s:g} s")
        return Attempt(cause="lost", detail=detail)

    def _key(self) -> str:
        name = self.config.api_key_env
        if not name:
            return NO_KEY
        key = os.environ.get(name)
        if not key:
            raise UserError(
                f"llm.endpoints '{self.config.name}': the environment variable {name} (api_key_env) is not set; "
                f"export it before the run, or leave api_key_env out for a server without keys"
            )
        return key

    def _clean(self, text: str) -> str:
        """Servers quote keys in their errors; ours go nowhere."""
        key = os.environ.get(self.config.api_key_env or "", "")
        return text.replace(key, "***") if key else text


def _open_client(base_url: str, key: str, timeout_s: float) -> Any:
    try:
        import openai
    except ImportError:
        raise UserError("the openai client is not installed; `pip install goldsmith[llm]`") from None
    # A proxy of the environment must not see, or break, calls to this very machine.
    http = openai.DefaultAioHttpClient(trust_env=not _is_loopback(base_url), timeout=timeout_s)
    return openai.AsyncOpenAI(base_url=base_url, api_key=key, max_retries=0, timeout=timeout_s, http_client=http)


def _is_loopback(base_url: str) -> bool:
    host = urlsplit(base_url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
