"""One GET of JSON from a server that may be wrong or malicious: bounded in bytes and in time, no redirects, no unpacking."""

from __future__ import annotations

import json
import time
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
        return json.loads(_get(url, parameters, timeout_s))
    except (ValueError, RecursionError):
        raise ToolFailure("bad-answer", "the answer is no JSON") from None


def _get(url: str, parameters: dict[str, str], timeout_s: float) -> bytes:
    until_s = time.monotonic() + timeout_s
    timeout = httpx.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s))
    try:
        # The address is the team's own; a proxy of the environment is not asked, and a redirect would lead to somebody else.
        with (
            httpx.Client(timeout=timeout, trust_env=False, follow_redirects=False) as client,
            client.stream("GET", url, params=parameters, headers=HEADERS) as response,
        ):
            if response.status_code != 200:
                raise ToolFailure("refused", f"HTTP {response.status_code}")
            if response.headers.get("content-encoding", "identity") != "identity":
                raise ToolFailure("bad-answer", "the answer is packed, which was not asked for")
            return _read(response, until_s)
    except (httpx.ConnectError, httpx.ConnectTimeout):
        raise ToolFailure("unreachable") from None
    except httpx.TimeoutException:
        raise ToolFailure("timeout") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ToolFailure("bad-answer", type(error).__name__) from None


def _read(response: httpx.Response, until_s: float) -> bytes:
    body = bytearray()
    for chunk in response.iter_raw():
        body += chunk
        if len(body) > MOST_BYTES:
            raise ToolFailure("too-large", f"more than {MOST_BYTES:,} bytes")
        # The client's own limit is for each read: a server that sends a byte a second would never reach it.
        if time.monotonic() > until_s:
            raise ToolFailure("timeout")
    return bytes(body)
