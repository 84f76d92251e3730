"""Requests as JSON, and replies that are whole: as many results as conversations, each a number or a reason."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, TypeVar

import httpx2
from pydantic import BaseModel, ValidationError

from goldsmith.client.attempts import Messages
from goldsmith.errors import DataError, ParseError
from goldsmith.wire import goldsmith as wire

AT_ONCE = 128
"""Conversations of one request; more are sent in several, all within the call's deadline."""

Answer = TypeVar("Answer", bound=BaseModel)

JSON = {"content-type": "application/json"}


def encoded(body: dict[str, Any]) -> bytes:
    """Return a request as JSON.

    Raises:
        DataError: it holds what JSON cannot: half a character, a number that is none, an object.
    """
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError) as error:
        raise DataError(f"a conversation cannot be sent as JSON ({error}); mend or drop it") from None


def whole(response: httpx2.Response, content: bytes) -> httpx2.Response:
    """Return a response that was read piece by piece as one that holds its body, which was decoded on the way."""
    headers = {name: value for name, value in response.headers.items() if name not in ("content-encoding", "content-length")}
    return httpx2.Response(response.status_code, headers=headers, content=content, request=response.request)


def read(response: httpx2.Response, kind: type[Answer]) -> Answer:
    try:
        return kind.model_validate_json(response.content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ParseError(
            f"{response.url}: the reply is no {kind.__name__} ({place}: {first['msg']}); is it a Goldsmith server?"
        ) from None


def pieces(conversations: Sequence[Messages]) -> list[Sequence[Messages]]:
    return [conversations[begin : begin + AT_ONCE] for begin in range(0, len(conversations), AT_ONCE)]


def counted(results: list[wire.Scored], wanted: int, on_failure: wire.OnFailure) -> list[wire.Scored]:
    odd = [found for found in results if (found.score is None) == (found.failure is None)]
    failed = on_failure == "refuse" and any(found.score is None for found in results)
    if len(results) != wanted or odd or failed:
        raise ParseError(
            f"{wanted} conversations were sent, and {len(results)} results came back, not all of them usable; none is used"
        )
    return results


def complete(found: wire.RankReply, wanted: int) -> wire.RankReply:
    if sorted(place.index for place in found.ranking) != list(range(wanted)):
        raise ParseError(f"{wanted} replies were sent, and {len(found.ranking)} came back; none is used")
    return found


def scores(results: Sequence[wire.Scored]) -> list[float]:
    return [found.score for found in results if found.score is not None]
