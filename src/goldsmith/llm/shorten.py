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
        max_tokens: room, estimated as by `tokens_of`; the mark included, which with a character on either side always stays.
    """
    if tokens_of(text) <= max_tokens:
        return text
    # Cut by bytes, as the estimate counts them: the ends may be of other scripts than the middle.
    content = text.encode("utf-8", "replace")
    room = BYTES_PER_TOKEN * max(0, max_tokens - MARK_TOKENS)
    head_bytes = round(room * HEAD_SHARE)
    head = content[:head_bytes].decode("utf-8", "ignore") or text[0]
    tail = content[len(content) - (room - head_bytes) :].decode("utf-8", "ignore") or text[-1]
    return f"{head} [… {len(text) - len(head) - len(tail)} characters cut …] {tail}"
