"""Attributes by LLM: what this user wants most, and the standard for judging this very pair."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from goldsmith.attributes.reply import EMBEDDED_LIMITS, LIMITS, AllFields, Limits, OpenFields, read_reply, reply_schema
from goldsmith.attributes.taxonomy import Taxonomy
from goldsmith.errors import ParseError
from goldsmith.llm import Completion, LlmGroup, Request
from goldsmith.llm.fence import fence_end, fence_tag, fenced, neutralise
from goldsmith.llm.prompt import load_prompt
from goldsmith.llm.repair import read_many
from goldsmith.llm.shorten import shorten, tokens_of
from goldsmith.pool.words import words
from goldsmith.retrieve.text import plain_text
from goldsmith.types import Pair

PURPOSE = "attributes"
CONTEXT_SHARE = 0.6
"""Part of the room for a pair that goes to the conversation; each reply has half of the rest."""
CLOSED_TOKENS = 60
"""Further room in the reply for task, objectivity and controversiality."""
UNLIMITED = 1_000_000_000
COPIED_WORDS = 5
"""So many words in a row that also stand in a prompt's example are a copy of it."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """What the LLM wrote about some pairs.

    Attributes:
        model: its name.
        fields: by pair, in the order given; None where every attempt failed.
        repaired: pairs whose second attempt was valid.
        failed: pairs without a valid reply, by the kind of their last failure; len(fields) = valid + failed.
        shortened: pairs of which a text was cut to fit.
    """

    model: str
    fields: list[OpenFields | AllFields | None]
    repaired: int
    failed: dict[str, int]
    shortened: int = 0


def label_pairs(
    pairs: Sequence[Pair],
    llm: LlmGroup,
    *,
    taxonomy: Taxonomy | None = None,
    likely_tasks: Sequence[Sequence[str]] | None = None,
    progress: Progress | None = None,
) -> Labelled:
    """Return the LLM's attributes of pairs, by the group's first model.

    Args:
        pairs: what to label; which reply was preferred is not shown.
        llm: the group.
        taxonomy: write all five attributes; none: the open ones alone.
        likely_tasks: with a taxonomy, leaves to describe in each pair's prompt.
        progress: called with (calls answered, calls), anew for the repairs.

    Raises:
        ProviderError: the server cannot be reached.
    """
    endpoint = llm.config.endpoints[0]
    limits = EMBEDDED_LIMITS if endpoint.kind == "embedded" else LIMITS
    answers = [text for role, text in load_prompt(_prompt_name(limits, taxonomy)).messages if role == "assistant"]
    examples = frozenset().union(*map(_runs, answers))

    def read(reply: Completion) -> OpenFields | AllFields:
        return _read(reply.text, taxonomy, examples)

    asked = label_requests(pairs, llm, taxonomy=taxonomy, likely_tasks=likely_tasks)
    found = read_many(llm, asked, read, progress=progress)
    counts = dict(sorted(Counter(item.failure for item in found if item.failure is not None).items()))
    repaired = sum(item.is_repaired for item in found)
    assert len(pairs) == sum(item.value is not None for item in found) + sum(counts.values())
    shortened = sum(_material(pair, limits) != _material(pair, replace(limits, pair_tokens=UNLIMITED)) for pair in pairs)
    fields = [item.value for item in found]
    return Labelled(model=endpoint.name, fields=fields, repaired=repaired, failed=counts, shortened=shortened)


def label_requests(
    pairs: Sequence[Pair],
    llm: LlmGroup,
    *,
    taxonomy: Taxonomy | None = None,
    likely_tasks: Sequence[Sequence[str]] | None = None,
) -> list[Request]:
    """Return the first questions that `label_pairs` would ask, for an estimate before anything is sent; repairs come on top."""
    endpoint = llm.config.endpoints[0]
    limits = EMBEDDED_LIMITS if endpoint.kind == "embedded" else LIMITS
    likely = likely_tasks or [()] * len(pairs)
    return [_request(pair, endpoint.name, limits, taxonomy, tasks) for pair, tasks in zip(pairs, likely, strict=True)]


def _request(pair: Pair, model: str, limits: Limits, taxonomy: Taxonomy | None, likely: Sequence[str]) -> Request:
    values = {"pair": _material(pair, limits), "qualities": ", ".join(limits.qualities)}
    if taxonomy is not None:
        values["tasks"] = "\n".join(f"{leaf.id}: {leaf.definition}" for leaf in taxonomy.leaf if leaf.id in likely)
    prompt = load_prompt(_prompt_name(limits, taxonomy))
    return Request(
        endpoint=model,
        messages=prompt.fill(values),
        max_tokens=limits.reply_tokens + (0 if taxonomy is None else CLOSED_TOKENS),
        schema=reply_schema(limits, taxonomy),
        purpose=PURPOSE,
    )


def _prompt_name(limits: Limits, taxonomy: Taxonomy | None) -> str:
    return limits.prompt if taxonomy is None else "attributes_all"


def _read(text: str, taxonomy: Taxonomy | None, examples: frozenset[tuple[bytes, ...]]) -> OpenFields | AllFields:
    fields = read_reply(text, taxonomy)
    # Small models like to hand the prompt's own example back, with another number in it.
    if _runs(fields.guideline) & examples:
        raise ParseError("guideline: it must be about this request, not copied from the example")
    return fields


def _runs(text: str) -> frozenset[tuple[bytes, ...]]:
    """Return every run of `COPIED_WORDS` words; of a shorter text the whole."""
    found = words(text)
    return frozenset(tuple(found[at : at + COPIED_WORDS]) for at in range(max(1, len(found) - COPIED_WORDS + 1)))


def _material(pair: Pair, limits: Limits) -> str:
    """Return the pair as fenced material; its replies stand in the pair's own order, which tells nothing of the label."""
    conversation = "\n".join(f"{message.role}: {plain_text(message.content)}" for message in pair.context)
    contents = [pair.first, pair.second] if limits.shows_replies else []
    conversation, *replies = (neutralise(text) for text in (conversation, *map(plain_text, contents)))
    tag = fence_tag([conversation, *replies])
    room = limits.pair_tokens
    context = shorten(conversation, max(int(room * CONTEXT_SHARE), room - sum(map(tokens_of, replies))) if replies else room)
    rest = max(2, room - tokens_of(context)) // max(1, len(replies))
    titled = [("conversation", context), *((f"reply {number}", shorten(text, rest)) for number, text in enumerate(replies, 1))]
    return "\n".join([*(fenced(title, text, tag) for title, text in titled), fence_end(tag)])
