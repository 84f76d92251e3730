"""Marks what is material in a prompt: text of users and models is data, and must not be able to pose as instructions."""

from __future__ import annotations

import re
from collections.abc import Iterable

from goldsmith.identity import digest

TAG_LENGTH = 6
_NAMES = "s|unk|pad|bos|eos|cls|sep|mask|sop|eop|think|tool_calls?|tool_responses?|function_calls?|[a-z_]{1,30}_TOKEN"
_BRACKETED = (
    "INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|CALL_ID|ARGS|THINK|PREFIX|SUFFIX|MIDDLE"
    "|IMG|IMG_BREAK|IMG_END|gMASK|BOS|EOS|EOT|CLS|SEP|UNK|PAD|MASK"
)
_CONTROL = re.compile(
    r"[<\uff1c](?=[|\uff5c][^\s<>]{1,80}[|\uff5c][>\uff1e])"  # <|im_end|> and its like, fullwidth ones too
    r"|<(?=\|[a-z_]{2,30}>|[a-z_]{2,30}\|>)"  # <|turn> and <turn|>
    rf"|<(?=/?(?:{_NAMES})>)"
    r"|<(?=(?:start|end|begin|beginning)_of_[a-z_]{1,20}>)"
    r"|<(?=</?SYS>>)"
    rf"|\[(?=/?(?:{_BRACKETED})\])"
    r"|\[(?=e~\[)|\](?=~!?b[\[\]])",
    re.IGNORECASE,
)
"""The first character of chat-template tokens of the common model families: servers read them as such even in the middle of a message."""


def neutralise(text: str) -> str:
    """Return `text` with chat-template tokens broken by a space, and lone surrogates replaced; nothing else changes."""
    return _CONTROL.sub(lambda found: found.group(0) + " ", text.encode("utf-8", "replace").decode("utf-8"))


def fence_tag(texts: Iterable[str]) -> str:
    """Return a short tag that occurs in none of the texts; it depends on all of them, so none can foresee it."""
    material = list(texts)
    number = 0
    while True:
        tag = digest([number, material])[:TAG_LENGTH]
        if not any(tag in text for text in material):
            return tag
        number += 1


def fenced(title: str, text: str, tag: str) -> str:
    """Return one piece of material under its title; the tag says where it really begins."""
    return f"<<<{title} {tag}>>>\n{text}"


def fence_end(tag: str) -> str:
    """Return the mark that ends material."""
    return f"<<<end {tag}>>>"
