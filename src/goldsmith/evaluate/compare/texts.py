"""Foreign texts for the failures, cut to what a person reads, with everything that could reorder or hide text made visible."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from goldsmith.benchdata.prompts import text_of_content
from goldsmith.evaluate.report import text as say

PROMPT_CHARACTERS, REPLY_CHARACTERS = 1500, 2500
"""What is shown of a prompt and of a reply."""


def prompt_text(context: Sequence[dict[str, Any]]) -> str:
    """Return a context for people: the last turn whole, earlier ones before it with their roles."""
    turns = [text_of_content(message.get("content")) for message in context]
    if len(turns) <= 1:
        return say.shorten("".join(turns), PROMPT_CHARACTERS)
    told = "\n\n".join(f"[{message.get('role')}] {text}" for message, text in zip(context, turns, strict=True))
    return _tail(told, PROMPT_CHARACTERS)


def reply_text(reply: Any) -> str:
    """Return a reply for people."""
    text = say.shorten(text_of_content(reply), REPLY_CHARACTERS)
    return text or "(empty)"


def _tail(text: str, limit: int) -> str:
    """Return the end of a conversation: its last turn is what the replies answer."""
    return say.clean(text) if len(text) <= limit else "… " + say.clean(text[-limit:])
