"""Reading a request's body within bounds of size and time, and noticing that its client has gone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request

from goldsmith.config.serve import ServeConfig
from goldsmith.serve.problem import Refusal

Model = TypeVar("Model", bound=BaseModel)
Found = TypeVar("Found")
MOST_COMPLAINTS = 20
LONGEST_LENGTH = 15
"""Digits of a Content-Length that is still read as a number."""
IN_A_THREAD = 256 << 10
"""Bytes above which a body is parsed beside the event loop."""


class ClientGone(Exception):
    """The client closed its connection; nobody reads the answer."""


async def read_body(request: Request, config: ServeConfig) -> bytes:
    """Return the body.

    Raises:
        Refusal: 413, it is too large, said before it is read where the head tells; 408, it does not arrive.
        ClientGone: the client closed the connection.
    """
    limit = int(config.max_body_mb * (1 << 20))
    length = request.headers.get("content-length", "0")
    if not length.isascii() or not length.isdigit():
        raise Refusal(400, "malformed", "the Content-Length header is no number")
    # Python refuses to read thousands of digits, and so many are too many bytes.
    digits = length.lstrip("0") or "0"
    if len(digits) > LONGEST_LENGTH or int(digits) > limit:
        raise _too_large(limit)
    pieces: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(config.body_timeout_s):
            async for piece in request.stream():
                size += len(piece)
                if size > limit:
                    raise _too_large(limit)
                pieces.append(piece)
    except TimeoutError:
        raise Refusal(408, "slow-body", f"the body did not arrive within {config.body_timeout_s:g} s") from None
    except ClientDisconnect:
        raise ClientGone from None
    return b"".join(pieces)


def _too_large(limit: int) -> Refusal:
    return Refusal(413, "too-large", f"the body is larger than {limit} bytes; send fewer or shorter conversations at once")


async def parse(body: bytes, kind: type[Model]) -> Model:
    """Return a request from JSON.

    Raises:
        Refusal: 400, it is no JSON, or has not the request's shape; the message names fields, and quotes nothing of the body.
    """
    try:
        if len(body) > IN_A_THREAD:
            return await asyncio.to_thread(kind.model_validate_json, body)
        return kind.model_validate_json(body)
    except ValidationError as error:
        complaints = error.errors(include_url=False, include_input=False, include_context=False)
    first = complaints[0]
    if first["type"] == "json_invalid":
        raise Refusal(400, "malformed", f"the body is no JSON: {first['msg']}")
    details = [f"{'.'.join(map(str, item['loc'])) or 'body'}: {item['msg']}" for item in complaints[:MOST_COMPLAINTS]]
    raise Refusal(400, "invalid", f"the body has not the shape of this request ({len(complaints)} complaints)", details=details)


async def unless_gone(request: Request, work: Awaitable[Found]) -> Found:
    """Return what `work` gives; cancel it when the client goes away first.

    Raises:
        ClientGone: the client closed the connection.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise ClientGone
    finally:
        for either in (task, gone):
            either.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _gone(request: Request) -> None:
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            return
