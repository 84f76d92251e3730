"""One HTTP exchange with a server that may be wrong or malicious: what is read is bounded in bytes and in time."""

from __future__ import annotations

import ipaddress
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from goldsmith.errors import UserError
from goldsmith.llm.retry import Attempt, parse_retry_after

if TYPE_CHECKING:
    import aiohttp

CONNECT_S = 10.0
"""Seconds for a connection to be made, where `timeout_s` is longer."""
KEEP_ALIVE_S = 4.0
"""Idle connections are dropped before the five seconds after which common servers close theirs: a call sent into a closing one is lost."""
MOST_BYTES = 4 * 2**20
"""Of a body, unpacked. A reply of 100,000 tokens has less than one MiB."""
KEPT_BYTES = 4096
"""Of a body that is no answer: enough to see what it was."""


def open_session(base_url: str, key: str | None) -> aiohttp.ClientSession:
    """Return a session for one server; it must be closed.

    Raises:
        UserError: aiohttp is not installed.
    """
    try:
        import aiohttp
    except ImportError:
        raise UserError("calls to language models need the package aiohttp; install `goldsmith[llm]`") from None

    headers = {
        "Content-Type": "application/json",
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "User-Agent": "goldsmith",
    }
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_S),
        headers=headers | ({"Authorization": f"Bearer {key}"} if key else {}),
        cookie_jar=aiohttp.DummyCookieJar(),
        # Unpacking is done here, within bounds.
        auto_decompress=False,
        # A proxy of the environment must not see, or break, calls to this very machine.
        trust_env=not _is_loopback(base_url),
    )  # fmt: skip


async def exchange(session: aiohttp.ClientSession, url: str, content: bytes, timeout_s: float) -> Attempt:
    """Post `content` once and return what came; every way in which a server can fail is an `Attempt`.

    Args:
        session: of `open_session`.
        url: where to.
        content: JSON.
        timeout_s: for the whole exchange, from connecting to the last byte.
    """
    import aiohttp

    timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=min(timeout_s, CONNECT_S))
    try:
        # A redirect would hand the question to somebody else than the server that was configured: not followed.
        async with session.post(url, data=content, timeout=timeout, allow_redirects=False) as response:
            if 200 <= response.status < 300:
                body, problem = await _read_body(response)
                return Attempt(cause="answered", status=response.status, body=body, problem=problem)
            return await _refusal(response)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL) as error:
        return Attempt(cause="unreachable", detail=f"{type(error).__name__}: {error}")
    except TimeoutError:
        return Attempt(cause="timeout", detail=f"no answer within {timeout_s:g} s")
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return Attempt(cause="lost", detail=f"{type(error).__name__}: {error}"[:KEPT_BYTES])


async def _refusal(response: aiohttp.ClientResponse) -> Attempt:
    import aiohttp

    body = bytearray()
    with suppress(aiohttp.ClientError, TimeoutError, OSError, ValueError):
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) >= KEPT_BYTES:
                break
    response.close() if not response.content.at_eof() else None
    return Attempt(
        cause="status",
        status=response.status,
        retry_after_s=parse_retry_after(response.headers),
        detail=f"HTTP {response.status}: {bytes(body[:KEPT_BYTES]).decode('utf-8', 'replace')}",
    )


async def _read_body(response: aiohttp.ClientResponse) -> tuple[bytes, str]:
    """Return an answer's bytes, unpacked, and what is wrong with them; of wrong ones only the beginning is kept."""
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    unpack: Any = None
    if encoding in ("gzip", "x-gzip", "deflate"):
        unpack = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    elif encoding not in ("", "identity"):
        response.close()
        return b"", f"the body is packed as '{encoding[:40]}', which was not asked for"
    body, problem = bytearray(), ""
    async for chunk in response.content.iter_any():
        try:
            body += unpack.decompress(chunk, MOST_BYTES + 1 - len(body)) if unpack else chunk
        except zlib.error as error:
            problem = f"the body cannot be unpacked: {error}"
        if len(body) > MOST_BYTES:
            problem = f"the body has more than {MOST_BYTES:,} bytes"
        if problem:
            response.close()
            return bytes(body[:KEPT_BYTES]), problem
    if unpack and not unpack.eof:
        return bytes(body[:KEPT_BYTES]), "the packed body ends early"
    return bytes(body), ""


def _is_loopback(base_url: str) -> bool:
    host = urlsplit(base_url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
