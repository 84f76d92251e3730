"""From a judge's reply to a choice, strictly: what is not exactly the agreed form is a failure, never a guess."""

from __future__ import annotations

import json
import re
from typing import Any, Literal, NoReturn

from goldsmith.errors import ParseError

Candidate = Literal["1", "2", "tie"]
ParseFailure = Literal["empty", "truncated", "not-json", "bad-shape", "bad-choice"]

PROBLEMS: dict[ParseFailure, str] = {
    "empty": "it is empty",
    "truncated": "it ends before the JSON does",
    "not-json": "it is not one JSON object alone",
    "bad-shape": 'it is not an object with the key "choice"',
    "bad-choice": '"choice" must be "1", "2" or "tie"',
}
"""What a model is told when it may try again."""
_CODE_BLOCK = re.compile(r"\A```(?:json)?\s*\n(?P<inner>.*)\n```\Z", re.DOTALL)
_ALLOWED = frozenset({"choice", "reason"})


def parse_choice(text: str, finish_reason: str = "stop") -> Candidate:
    """Return the choice in `{"choice": "1" | "2" | "tie"}`.

    A code block around the object and a further key `reason` are let through. Prose around the object, two objects, a key
    given twice, or any other choice is a failure: a reply that quotes its material must not be read as an answer.

    Args:
        text: the reply.
        finish_reason: the server's; `length` explains JSON that does not end.

    Raises:
        ParseError: any other form; its `kind` is a `ParseFailure`.
    """
    stripped = text.strip()
    if not stripped:
        _fail("empty")
    block = _CODE_BLOCK.match(stripped)
    try:
        value = json.loads(block["inner"] if block else stripped, object_pairs_hook=_once)
    except _Repeated:
        _fail("bad-shape")
    except (ValueError, RecursionError):
        _fail("truncated" if finish_reason == "length" or _is_open(stripped) else "not-json")
    if not isinstance(value, dict) or "choice" not in value or not set(value) <= _ALLOWED:
        _fail("bad-shape")
    return _candidate(value["choice"])


def _candidate(choice: object) -> Candidate:
    match str(choice) if type(choice) is int else choice:
        case "1" | "2" | "tie" as candidate:
            return candidate
    _fail("bad-choice")


def _fail(kind: ParseFailure) -> NoReturn:
    raise ParseError(PROBLEMS[kind], kind=kind)


class _Repeated(Exception):
    pass


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise _Repeated
    return dict(pairs)


def _is_open(text: str) -> bool:
    return text.startswith("{") and "}" not in text
