"""From a judge's reply to a choice, strictly: what is not exactly the agreed form is a failure, never a guess."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Literal

Candidate = Literal["1", "2", "tie"]
ParseFailure = Literal["empty", "truncated", "not-json", "bad-shape", "bad-choice"]

_CODE_BLOCK = re.compile(r"\A```(?:json)?\s*\n(?P<inner>.*)\n```\Z", re.DOTALL)
_ALLOWED = frozenset({"choice", "reason"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """A choice, or why there is none; exactly one of the two is set."""

    choice: Candidate | None = None
    failure: ParseFailure | None = None


def parse_choice(text: str, finish_reason: str = "stop") -> Parsed:
    """Return the choice in `{"choice": "1" | "2" | "tie"}`.

    A code block around the object and a further key `reason` are let through. Prose around the object, two objects, a key
    given twice, or any other choice is a failure: a reply that quotes its material must not be read as an answer.

    Args:
        text: the reply.
        finish_reason: the server's; `length` explains JSON that does not end.
    """
    stripped = text.strip()
    if not stripped:
        return Parsed(failure="empty")
    block = _CODE_BLOCK.match(stripped)
    try:
        value = json.loads(block["inner"] if block else stripped, object_pairs_hook=_once)
    except _Repeated:
        return Parsed(failure="bad-shape")
    except (ValueError, RecursionError):
        return Parsed(failure="truncated" if finish_reason == "length" or _is_open(stripped) else "not-json")
    if not isinstance(value, dict) or "choice" not in value or not set(value) <= _ALLOWED:
        return Parsed(failure="bad-shape")
    choice = value["choice"]
    if type(choice) is int:
        choice = str(choice)
    if choice == "1" or choice == "2" or choice == "tie":
        return Parsed(choice=choice)
    return Parsed(failure="bad-choice")


class _Repeated(Exception):
    pass


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise _Repeated
    return dict(pairs)


def _is_open(text: str) -> bool:
    return text.startswith("{") and "}" not in text
