"""One GET of JSON from a server that may be wrong or malicious: bounded in bytes and in time, no redirects, no unpacking."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx

from goldsmith.annotate.tools.tool import ToolFailure

MOST_BYTES = 2 * 2**20
CONNECT_S = 5.0
HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "goldsmith"}


def get_json(url: str, parameters: dict[str, str], timeout_s: float) -> Any:
    """Return the JSON value that a server answers with.

    Args:
        url: where to.
        parameters: of the query.
        timeout_s: for the whole exchange, from connecting to the last byte.

    Raises:
        ToolFailure: `unreachable`, `timeout`, `refused` (a status that is no 200), `too-large` or `bad-answer`.
    """
    try:
        return json.loads(asyncio.run(_get(url, parameters, timeout_s)))
    except (ValueError, RecursionError):
        raise ToolFailure("bad-answer", "the answer is no JSON") from None


async def _get(url: str, parameters: dict[str, str], timeout_s: float) -> bytes:
    """One clock for everything: the client's own are for each read, and a server that sends a byte a second never reaches them."""
    try:
        # The address is the team's own; a proxy of the environment is not asked, and a redirect would lead to somebody else.
        async with (
            asyncio.timeout(timeout_s),
            httpx.AsyncClient(timeout=httpx.Timeout(None, connect=CONNECT_S), trust_env=False, follow_redirects=False) as client,
            client.stream("GET", url, params=parameters, headers=HEADERS) as response,
        ):
            if response.status_code != 200:
                raise ToolFailure("refused", f"HTTP {response.status_code}")
            if response.headers.get("content-encoding", "identity") != "identity":
                raise ToolFailure("bad-answer", "the answer is packed, which was not asked for")
            return await _read(response)
    except (httpx.ConnectError, httpx.ConnectTimeout):
        raise ToolFailure("unreachable") from None
    except TimeoutError:
        raise ToolFailure("timeout") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ToolFailure("bad-answer", type(error).__name__) from None


async def _read(response: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > MOST_BYTES:
            raise ToolFailure("too-large", f"more than {MOST_BYTES:,} bytes")
    return bytes(body)
