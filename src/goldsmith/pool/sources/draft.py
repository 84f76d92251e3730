"""What a format reader makes of a row: drafts of pairs, or a reason why it cannot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

Row = dict[str, Any]
Content = Any
"""Text, or a list of parts; what arrives from a file is checked, not trusted."""


class Reject(Exception):
    """A row cannot become a pair; `reason` is a stable kebab-case id, `detail` the value that was found."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail[:300]


@dataclass(slots=True)
class Draft:
    """A pair as a file tells it, before the structural check. Replies may still be None, empty or equal.

    `context` holds plain dicts with `role` and `content` alone; `part` tells drafts of one row apart ("0-2"). `chosen_number` is 1 or 2
    where the row numbers its responses, else 0. `further` are the row's columns beside the pair, where they were asked for (`further.py`).
    """

    context: list[Row]
    chosen: Content
    rejected: Content
    tie: bool = False
    label_origin: str = "unknown"
    strength: float | None = None
    source: str | None = None
    meta: Row = field(default_factory=dict)
    part: str = ""
    chosen_number: int = 0
    further: Row = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Format:
    """One way of writing pairs down: its id, how it is told from the others, and its reader."""

    name: str
    columns: str
    matches: Callable[[Row], bool]
    read: Callable[[Row], list[Draft]]


ROLES = {
    "system": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "human": "user",
    "prompter": "user",
    "gpt": "assistant",
    "bot": "assistant",
    "chatbot": "assistant",
    "model": "assistant",
    "developer": "system",
    "function": "tool",
    "function_call": "assistant",
    "observation": "tool",
}
"""The many names of the four roles."""

ORIGINS = ("human", "llm", "rule", "likes", "unknown")
_HINTS = (
    ("human", ("human", "expert", "annotator", "crowd")),
    ("likes", ("like", "upvote", "vote", "karma", "click")),
    ("rule", ("rule", "check", "verif", "unit_test", "test", "ground_truth", "answer_match")),
    ("llm", ("gpt", "llm", "claude", "gemini", "llama", "qwen", "model", "ai", "judge")),
)


def label_origin(value: Any) -> str:
    """Return which kind of labeller a free-text `label_source` names: human, llm, rule, likes or unknown."""
    return _origin_of(value[:200].lower()) if isinstance(value, str) else "unknown"


@lru_cache(maxsize=1024)
def _origin_of(name: str) -> str:
    if name in ORIGINS:
        return name
    return next((origin for origin, hints in _HINTS if any(_has_word(name, hint) for hint in hints)), "unknown")


def _has_word(name: str, hint: str) -> bool:
    # "ai" must be a word of its own; longer hints may begin one ("gpt4_turbo", "verifiable_answer").
    words = name.replace("-", "_").replace("/", "_").replace(" ", "_").split("_")
    return hint in words or (len(hint) > 2 and (("_" in hint and hint in name) or any(word.startswith(hint) for word in words)))


def content_of(value: Any) -> Content:
    """Return a message's content; a list whose parts are all text becomes one string.

    Raises:
        Reject: `non-text-part`, `wrong-type`.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(part, dict) for part in value):
        kinds = {str(part.get("type")) for part in value}
        if kinds <= {"text"} and all(isinstance(part.get("text"), str) for part in value):
            return "".join(part["text"] for part in value)
        raise Reject("non-text-part", f"parts of type {sorted(kinds)}")
    raise Reject("wrong-type", f"content is {type(value).__name__}: {str(value)[:80]!r}")


def messages(value: Any) -> list[Row]:
    """Return a list of messages (`role`/`content`, or `from`/`value`) with our role names and nothing but `role` and `content`.

    Raises:
        Reject: `wrong-type`, `unknown-role`, `non-text-part`, `tool-calls`.
    """
    if not isinstance(value, list):
        raise Reject("wrong-type", f"expected a list of messages, found {type(value).__name__}")
    found = []
    for message in value:
        if not isinstance(message, dict):
            raise Reject("wrong-type", f"a message is {type(message).__name__}, not an object")
        by_from = "from" in message and "role" not in message
        name, content = (message.get("from"), message.get("value")) if by_from else (message.get("role"), message.get("content"))
        role = ROLES.get(name) if isinstance(name, str) else None
        if role is None:
            raise Reject("unknown-role", f"role {name!r}")
        if message.get("tool_calls"):
            # Without its calls such a turn would say something else than it did.
            raise Reject("tool-calls", f"a turn of {role} calls tools: {str(message['tool_calls'])[:80]}")
        found.append({"role": role, "content": content if isinstance(content, str) else (content_of(content) or "")})
    return found


def user(text: Any) -> list[Row]:
    """Return the context of a single user turn."""
    return [{"role": "user", "content": content_of(text)}]


def prompt_of(value: Any) -> list[Row]:
    """Return the context that a `prompt` column holds: a string, or a list of messages."""
    return user(value) if isinstance(value, str) or value is None else messages(value)


def number(value: Any) -> float | None:
    """Return a finite number as float, anything else (a whole number too large for one, too) as None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value) if value - value == 0 else None
    except OverflowError:
        return None


def name_or_none(value: Any) -> str | None:
    """Return a source's name when it is one: text that is not empty."""
    return value if isinstance(value, str) and value else None


def leftovers(row: Row, used: Sequence[str]) -> Row:
    """Return the small scalar columns that a format has no field for; they travel in `meta`."""
    return {
        key: value
        for key, value in row.items()
        if key not in used
        and (isinstance(value, (bool, int)) or (isinstance(value, str) and len(value) <= 200) or number(value) is not None)
    }


def from_scores(context: list[Row], replies: Sequence[Any], scores: Sequence[float | None], **fields: Any) -> list[Draft]:
    """Return a draft for every two of several scored replies: the better one chosen, the difference as strength.

    Args:
        context: the messages they reply to.
        replies: at least two.
        scores: one for each reply, higher is better; equal scores make a tie.
        fields: the remaining fields of `Draft`.

    Raises:
        Reject: `too-few-replies`, `score-missing`.
    """
    if len(replies) < 2 or len(replies) != len(scores):
        raise Reject("too-few-replies", f"{len(replies)} replies and {len(scores)} scores")
    if any(score is None for score in scores):
        raise Reject("score-missing", f"scores {list(scores)}")
    drafts = []
    for one in range(len(replies)):
        for other in range(one + 1, len(replies)):
            margin = scores[one] - scores[other]  # type: ignore[operator]
            best, worst = (one, other) if margin >= 0 else (other, one)
            pair = Draft(
                context,
                content_of(replies[best]),
                content_of(replies[worst]),
                tie=margin == 0,
                strength=number(abs(margin)),
                **fields,
            )
            pair.part = f"{best}-{worst}"
            drafts.append(pair)
    return drafts


def from_choice(context: list[Row], reply_1: Any, reply_2: Any, choice: int, **fields: Any) -> Draft:
    """Return the draft of two replies and which is better: 1, 2, or 0 for a tie."""
    first, second = content_of(reply_1), content_of(reply_2)
    chosen, rejected = (second, first) if choice == 2 else (first, second)
    return Draft(context, chosen, rejected, tie=choice == 0, chosen_number=2 if choice == 2 else 1, **fields)
