"""What the clients send: conversations of mixed lengths, as a policy's samples come, several replies to each prompt."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goldsmith.identity import unit_interval
from speed.data import real_pairs

REPLIES = 8
"""Replies to one prompt; a policy trained with GRPO samples about so many."""
WORDS = (8, 15, 30, 60)
"""Lengths of replies, in turn."""
PROMPT_WORDS = (10, 30, 60, 120)


@dataclass(frozen=True, slots=True)
class Sample:
    """One conversation, in every form in which it is sent, with its score in float32."""

    messages: list[dict[str, Any]]
    text: str
    tokens: int
    score: float


def samples(
    model: Path, prompts: int, *, prompt_words: tuple[int, ...] = PROMPT_WORDS, replies: int = REPLIES
) -> list[list[Sample]]:
    """Return groups of samples, one for each prompt, put together from real texts."""
    from goldsmith.reward import RewardModel
    from goldsmith.reward.model import as_reply

    loaded = RewardModel.load(model, dtype="float32")
    groups = []
    for conversations in groups_of_texts(prompts, prompt_words=prompt_words, replies=replies):
        scores = loaded.score(conversations)
        template = loaded.renderer.tokenizer.apply_chat_template
        groups.append(
            [
                Sample(turns, str(template(turns, tokenize=False)), len(loaded.render(as_reply(turns, "x")).ids), score)
                for turns, score in zip(conversations, scores, strict=True)
            ]
        )
    return groups


def groups_of_texts(
    prompts: int, *, prompt_words: tuple[int, ...] = PROMPT_WORDS, replies: int = REPLIES
) -> list[list[list[dict[str, Any]]]]:
    """Return for each prompt its conversations, put together from real texts."""
    pairs = real_pairs("auto-j", prompts * 2)
    words = " ".join(str(text) for pair in pairs for text in (pair.messages[-1]["content"], pair.first, pair.second)).split()
    return [
        [
            [
                {"role": "user", "content": _cut(words, number, prompt_words[number % len(prompt_words)])},
                {"role": "assistant", "content": _cut(words, (number, place), WORDS[place % len(WORDS)])},
            ]
            for place in range(replies)
        ]
        for number in range(prompts)
    ]


def _cut(words: list[str], name: object, count: int) -> str:
    start = int(unit_interval(str(name), 0) * (len(words) - count))
    return " ".join(words[start : start + count])
