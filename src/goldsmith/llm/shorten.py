"""Cuts a long text in the middle and says so: openings and endings carry most of what a judge needs."""

from __future__ import annotations

HEAD_SHARE = 0.6
"""Part of the room that goes to the beginning."""


def shorten(text: str, max_characters: int) -> str:
    """Return `text`, cut in the middle with a mark that counts what is missing, when it is longer than `max_characters`.

    Args:
        text: any text.
        max_characters: room, at least 1; the mark's own 30 or so characters come on top.
    """
    if len(text) <= max_characters:
        return text
    head = max(1, round(max_characters * HEAD_SHARE))
    tail = max_characters - head
    mark = f" [… {len(text) - max_characters} characters cut …] "
    return text[:head] + mark + (text[-tail:] if tail else "")
