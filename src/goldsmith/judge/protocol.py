"""The judge's prompt: the human protocol, human-labelled examples, the pair; all within a token budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from goldsmith.llm.fence import fence_end, fence_tag, fenced, neutralise
from goldsmith.llm.prompt import load_prompt
from goldsmith.llm.request import TOKENS_PER_MESSAGE
from goldsmith.llm.shorten import shorten, tokens_of
from goldsmith.retrieve.text import plain_text
from goldsmith.types import Attributes, Label, Pair, Side

PROMPT_NAME = "judge"
SCHEMA = {
    "type": "object",
    "properties": {"choice": {"type": "string", "enum": ["1", "2", "tie"]}},
    "required": ["choice"],
    "additionalProperties": False,
}
MAX_REPLY_TOKENS = 32
"""Of `{"choice": "tie"}`, with the white space that constrained decoding allows around it."""
CONTEXT_SHARE = 0.3
"""Part of a block's room that goes to the conversation; each reply has half of the rest."""
TARGET_SHARE = 0.65
"""Part of the room for material that the pair to judge may take where there are examples; at least, where they leave some."""
ATTRIBUTES_TOKENS = 60
EXAMPLE_TOKENS = 500
"""Room of one example at most."""
SMALLEST_EXAMPLE_TOKENS = 160
"""An example cut to less than this shows nothing; it is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demonstration:
    """A pair that people judged; `pair.label` is theirs. `shown_first` stands as Candidate 1."""

    pair: Pair
    attributes: Attributes | None = None
    shown_first: Side = "first"


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgePrompt:
    """The messages of one call, and how many examples found room."""

    messages: tuple[tuple[str, str], ...]
    num_demonstrations: int
    shortened: bool


def build_prompt(
    pair: Pair,
    attributes: Attributes | None,
    demonstrations: Sequence[Demonstration],
    shown_first: Side,
    max_tokens: int,
) -> JudgePrompt:
    """Return the prompt for one pair in one order.

    Args:
        pair: what is judged; its label is not shown.
        attributes: of the pair, where known.
        demonstrations: human-labelled examples, the nearest first; the last ones are left out where the budget ends.
        shown_first: which side stands as Candidate 1.
        max_tokens: estimated tokens of the whole prompt at most.
    """
    prompt = load_prompt(PROMPT_NAME)
    fixed = sum(tokens_of(text) + TOKENS_PER_MESSAGE for _, text in prompt.messages)
    room = max(60, max_tokens - fixed)
    texts = [*_texts(pair, attributes)]
    for demonstration in demonstrations:
        texts += _texts(demonstration.pair, demonstration.attributes)
    tag = fence_tag(texts)
    whole = _block(pair, attributes, shown_first, tag, max_tokens=1_000_000_000)
    share = TARGET_SHARE if demonstrations else 1.0
    target = _block(pair, attributes, shown_first, tag, max_tokens=int(room * share))
    examples = _examples(demonstrations, room - tokens_of(target), tag)
    messages = prompt.fill({"examples": "".join(examples), "target": f"Judge this pair:\n{target}"})
    return JudgePrompt(messages=messages, num_demonstrations=len(examples), shortened=whole != target)


def candidate_of(label: Label, shown_first: Side) -> str:
    """Return what a judge answers when it means `label`: "1", "2" or "tie"."""
    if label == "tie":
        return "tie"
    return "1" if label == shown_first else "2"


def side_of(candidate: str, shown_first: Side) -> Label:
    """Return which side of the pair a judge's answer means; the inverse of `candidate_of`."""
    if candidate == "tie":
        return "tie"
    other: Side = "second" if shown_first == "first" else "first"
    return shown_first if candidate == "1" else other


def _examples(demonstrations: Sequence[Demonstration], room: int, tag: str) -> list[str]:
    found: list[str] = []
    for demonstration in demonstrations:
        fits = min(EXAMPLE_TOKENS, room)
        if fits < SMALLEST_EXAMPLE_TOKENS:
            break
        block = _block(demonstration.pair, demonstration.attributes, demonstration.shown_first, tag, max_tokens=fits - 20)
        answer = candidate_of(demonstration.pair.label, demonstration.shown_first)
        text = f'Example {len(found) + 1}, judged by people:\n{block}\nAnswer: {{"choice": "{answer}"}}\n\n'
        room -= tokens_of(text)
        found.append(text)
    return found


def _block(pair: Pair, attributes: Attributes | None, shown_first: Side, tag: str, *, max_tokens: int) -> str:
    """Return a pair as fenced material, its texts cut in the middle to fit."""
    lines = (
        [] if attributes is None else [shorten(neutralise(_attributes_line(attributes)), min(ATTRIBUTES_TOKENS, max_tokens // 4))]
    )
    room = max_tokens - sum(tokens_of(line) for line in lines) - 40
    conversation = neutralise(_conversation(pair))
    first, second = neutralise(plain_text(pair.first)), neutralise(plain_text(pair.second))
    candidates = (first, second) if shown_first == "first" else (second, first)
    sizes = _allot(room, [tokens_of(conversation), *map(tokens_of, candidates)])
    parts = [fenced("attributes", line, tag) for line in lines]
    parts.append(fenced("conversation", shorten(conversation, sizes[0]), tag))
    for number, text in enumerate(candidates, 1):
        parts.append(fenced(f"Candidate {number}", shorten(text, sizes[number]), tag))
    return "\n".join([*parts, fence_end(tag)])


def _allot(room: int, wanted: list[int]) -> list[int]:
    """Share the room between conversation and replies: nobody gets more than wanted, and what one leaves goes to the others.

    The two replies are cut to the same length, so that the cut itself says nothing about either.
    """
    context = min(wanted[0], max(int(room * CONTEXT_SHARE), room - wanted[1] - wanted[2]))
    reply = max(1, (room - context) // 2)
    shorter = min(wanted[1], wanted[2])
    if shorter < reply:
        # The other reply may use what the short one leaves.
        reply = max(reply, room - context - shorter)
    return [max(1, context), max(1, reply), max(1, reply)]


def _texts(pair: Pair, attributes: Attributes | None) -> list[str]:
    texts = [_conversation(pair), plain_text(pair.first), plain_text(pair.second)]
    return texts if attributes is None else [*texts, _attributes_line(attributes)]


def _conversation(pair: Pair) -> str:
    return "\n".join(f"{message.role}: {plain_text(message.content)}" for message in pair.context)


def _attributes_line(attributes: Attributes) -> str:
    parts = [f"{attributes.task}; {attributes.objectivity}; {attributes.controversiality} controversiality"]
    if attributes.desired:
        parts.append("wants " + ", ".join(attributes.desired))
    if attributes.guideline:
        parts.append("guideline: " + " ".join(attributes.guideline.split()))
    return "; ".join(parts)
