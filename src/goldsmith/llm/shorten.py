"""Cuts a long text in the middle and says so: openings and endings carry most of what a judge needs."""

from __future__ import annotations

from goldsmith.llm.request import BYTES_PER_TOKEN

HEAD_SHARE = 0.6
"""Part of the room that goes to the beginning."""
MARK_TOKENS = 14
"""Room that the mark itself takes."""


def tokens_of(text: str) -> int:
    """Return an estimate of a text's tokens, on the high side for most texts."""
    return len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN + 1


def shorten(text: str, max_tokens: int) -> str:
    """Return `text`, with its middle replaced by a mark that counts what is missing when it has more than `max_tokens`.

    Args:
        text: any text.
        max_tokens: room, estimated as by `tokens_of`; the mark included.
    """
    tokens = tokens_of(text)
    if tokens <= max_tokens:
        return text
    room = max(2, int(len(text) * max(0, max_tokens - MARK_TOKENS) / tokens))
    head = max(1, round(room * HEAD_SHARE))
    tail = room - head
    return f"{text[:head]} [… {len(text) - room} characters cut …] {text[-tail:]}"
