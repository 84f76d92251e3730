"""What a server's bytes say: a reply, a report of an error, or nothing usable; pure functions over untrusted input."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from goldsmith.llm.request import Completion, Failure

MOST_COUNTED = 10**9
"""Tokens of one call above which a server's count is not believed (nor would it fit the ledger for long)."""
QUOTED_BYTES = 200
_STREAM_STARTS = (b"data:", b"event:", b":")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A 2xx response's bytes, understood.

    Attributes:
        outcome: the reply, or why there is none.
        usage: (prompt, completion) tokens as the server counted them; None when it does not say, or says what cannot be.
        error_status: the HTTP status that a report of an error inside the body names, 400 when it names none; None: no such report.
    """

    outcome: Completion | Failure
    usage: tuple[int, int] | None = None
    error_status: int | None = None


def read_response(content: bytes, *, problem: str = "", cached: bool = False) -> Reading:
    """Return what a 2xx response's bytes hold, never more than they say.

    Args:
        content: the body; server-sent events are put together.
        problem: why the transport found the body unusable.
        cached: it was read from the ledger.
    """
    if problem:
        return Reading(outcome=_bad(problem, content, cached))
    try:
        value = _load(content)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        return Reading(outcome=_bad(f"{type(error).__name__}: {error}", content, cached))
    usage = _usage(value)
    try:
        choice = value["choices"][0]
        text = choice["message"]["content"]
        if not isinstance(text, str):
            raise TypeError(f"message.content is {str(text)[:QUOTED_BYTES]}")
        finish_reason = str(choice.get("finish_reason") or "")[:QUOTED_BYTES]
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        failure = _bad(f"{type(error).__name__}: {error}", content, cached)
        return Reading(outcome=failure, usage=usage, error_status=_error_status(value))
    if usage is not None and (usage[0] == 0 or (text and usage[1] == 0)):
        usage = None  # every prompt has tokens, and so has every text
    prompt_tokens, completion_tokens = usage or (0, 0)
    # No UTF-8 file can carry a lone surrogate, and JSON can.
    outcome = Completion(
        text=text.encode("utf-8", "replace").decode("utf-8"),
        finish_reason=finish_reason.encode("utf-8", "replace").decode("utf-8"),
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        cached=cached,
    )
    return Reading(outcome=outcome, usage=usage)


def _bad(problem: str, content: bytes, cached: bool) -> Failure:
    quote = content[:QUOTED_BYTES].decode("utf-8", "replace")
    return Failure(kind="bad-response", detail=f"no chat completion ({problem[:QUOTED_BYTES]}): {quote!r}", cached=cached)


def _load(content: bytes) -> Any:
    return _unite(content) if content.lstrip().startswith(_STREAM_STARTS) else json.loads(content)


def _unite(content: bytes) -> dict[str, Any]:
    """Return the completion that a stream of chunks amounts to: some servers stream although nobody asked for it."""
    texts: list[str] = []
    finish_reason, usage, error, ended = None, None, None, False
    for line in content.splitlines():
        name, _, data = line.partition(b":")
        if name.strip() != b"data" or not (data := data.strip()):
            continue
        if data == b"[DONE]":
            ended = True
            continue
        chunk = json.loads(data)
        usage, error = chunk.get("usage") or usage, chunk.get("error") or error
        for choice in chunk.get("choices") or []:
            if choice.get("index", 0) == 0:
                texts.append((choice.get("delta") or {}).get("content") or "")
                finish_reason = choice.get("finish_reason") or finish_reason
    if error is not None:
        return {"error": error, "usage": usage}
    if not ended and finish_reason is None:
        raise ValueError("the stream ends early")
    return {"choices": [{"message": {"content": "".join(texts)}, "finish_reason": finish_reason}], "usage": usage}


def _usage(value: Any) -> tuple[int, int] | None:
    try:
        counts = value["usage"]["prompt_tokens"], value["usage"]["completion_tokens"]
    except (KeyError, TypeError):
        return None
    return counts if all(type(count) is int and 0 <= count <= MOST_COUNTED for count in counts) else None


def _error_status(value: Any) -> int | None:
    """Some gateways report the failure of the server behind them with status 200."""
    if not isinstance(value, dict) or not value.get("error"):
        return None
    error = value["error"]
    named = [error.get(name) for name in ("code", "status")] if isinstance(error, dict) else []
    statuses = [int(code) for code in map(str, named) if len(code) == 3 and code.isascii() and code.isdigit()]
    return next((status for status in statuses if 400 <= status <= 599), 400)
