"""Counts what could fool a reader of prompts: chat-template tokens, and texts that speak to the judge. Counted, never acted upon."""

from __future__ import annotations

import re
from collections.abc import Sequence

from goldsmith.llm.fence import neutralise
from goldsmith.retrieve.text import plain_text
from goldsmith.types import Pair

_TO_THE_JUDGE = re.compile(
    r"\bcandidate\s*[12]\s+(?:is|wins|deserves)\b"
    r"|\b(?:output|choose|pick|select|(?:answer|reply|respond)\s+with)\s*[:\"'`]?\s*(?:candidate\s*)?[12]\b(?=[\"'`]?\s*(?:[.!;,](?!\d)|\n|$))"
    r"|[\"']choice[\"']\s*:\s*[\"']?(?:1|2|tie)\b"
    r"|\b(?:ignore|disregard|forget)\b[^.\n]{0,40}\b(?:instruction|prompt|protocol)s?\b",
    re.IGNORECASE,
)
"""Phrases by which a reply addresses whoever judges it; a rough sieve, for a count in the report."""
LOOK_AT = 20_000
"""Characters of a reply that are looked at, at its start and at its end."""


def count_material(pairs: Sequence[Pair]) -> dict[str, int]:
    """Return how many pairs hold chat-template tokens (`control_tokens`), and in how many a reply speaks to its judge (`addressed`)."""
    return {
        "control_tokens": sum(_has_control_tokens(pair) for pair in pairs),
        "addressed": sum(addresses_judge(plain_text(reply)) for pair in pairs for reply in (pair.first, pair.second)),
    }


def addresses_judge(text: str) -> bool:
    """Return whether a reply tells its judge what to say, as far as a list of phrases can tell."""
    looked_at = text if len(text) <= 2 * LOOK_AT else f"{text[:LOOK_AT]}\n{text[-LOOK_AT:]}"
    return _TO_THE_JUDGE.search(looked_at) is not None


def _has_control_tokens(pair: Pair) -> bool:
    texts = [plain_text(message.content) for message in pair.context] + [plain_text(pair.first), plain_text(pair.second)]
    return any(neutralise(text) != text for text in texts)
