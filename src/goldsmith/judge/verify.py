"""Pre-verification of objective pairs: is each single reply correct? A hint for annotators, who read the reply all the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from goldsmith.errors import ParseError
from goldsmith.judge.material import count_material
from goldsmith.llm import Completion, LlmGroup, Request
from goldsmith.llm.fence import fence_end, fence_tag, fenced, neutralise
from goldsmith.llm.prompt import load_prompt
from goldsmith.llm.repair import Read, read_many
from goldsmith.llm.request import TOKENS_PER_MESSAGE
from goldsmith.llm.shorten import shorten, tokens_of
from goldsmith.retrieve.text import plain_text
from goldsmith.types import Check, CheckOutcome, Pair, Side

PURPOSE = "verify"
PROMPT_NAME = "verify"
LONGEST_REASON = 300
SCHEMA = {
    "type": "object",
    "properties": {
        "reason": {"type": "string", "maxLength": LONGEST_REASON},
        "verdict": {"type": "string", "enum": ["correct", "incorrect", "cannot-tell"]},
    },
    "required": ["reason", "verdict"],
    "additionalProperties": False,
}
MAX_REPLY_TOKENS = 160
CONTEXT_SHARE = 0.4
"""Part of the room that goes to the conversation where both texts are long."""
SIDES: tuple[Side, Side] = ("first", "second")


class _Reply(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    reason: str = Field(max_length=2 * LONGEST_REASON)
    verdict: CheckOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyRun:
    """What models said of single replies.

    Attributes:
        checks: one for each pair, side and model, failed ones included, by pair, then side, then model.
        replies: what came back, for the report: total = usable + failed.
    """

    checks: list[Check]
    replies: dict[str, Any] = field(default_factory=dict)


def verify_pairs(
    pairs: Sequence[Pair], llm: LlmGroup, models: Sequence[str], progress: Callable[[int, int], None] | None = None
) -> VerifyRun:
    """Return what each model says of each reply, alone and without its rival; equal replies to one request are asked once.

    Args:
        pairs: objective pairs; labels are never shown.
        llm: the group.
        models: names of the models that check.
        progress: called with (calls answered, calls).

    Raises:
        ProviderError: a server cannot be reached.
    """
    distinct = sorted({pair.pair_id: pair for pair in pairs}.values(), key=lambda pair: pair.pair_id)
    asked = [(pair, side, model) for pair in distinct for side in SIDES for model in models]
    built = [verify_request(pair, side, model, _prompt_tokens(llm, model)) for pair, side, model in asked]
    replies = read_many(llm, [request for request, _ in built], _read, progress=progress)
    checks = [_check(pair, side, model, reply) for (pair, side, model), reply in zip(asked, replies, strict=True)]
    failed = Counter(check.failure for check in checks if check.failure is not None)
    return VerifyRun(
        checks=checks,
        replies={
            "total": len(checks),
            "usable": len(checks) - failed.total(),
            "failed": dict(sorted(failed.items())),
            "shortened": sum(was_cut for _, was_cut in built),
            "repaired": sum(reply.is_repaired for reply in replies),
            **count_material(distinct),
        },
    )


def verify_request(pair: Pair, side: Side, model: str, max_tokens: int) -> tuple[Request, bool]:
    """Return the question about one reply, and whether a text was cut to fit `max_tokens` (estimated, of the whole prompt)."""
    prompt = load_prompt(PROMPT_NAME)
    fixed = sum(tokens_of(text) + TOKENS_PER_MESSAGE for _, text in prompt.messages)
    conversation = neutralise("\n".join(f"{message.role}: {plain_text(message.content)}" for message in pair.context))
    reply = neutralise(plain_text(pair.first if side == "first" else pair.second))
    room = max(60, max_tokens - fixed - 40)
    context = shorten(conversation, max(int(room * CONTEXT_SHARE), room - tokens_of(reply)))
    shown = shorten(reply, max(1, room - tokens_of(context)))
    tag = fence_tag([conversation, reply])
    block = "\n".join([fenced("conversation", context, tag), fenced("reply to check", shown, tag), fence_end(tag)])
    request = Request(
        endpoint=model,
        messages=prompt.fill({"reply": block}),
        max_tokens=MAX_REPLY_TOKENS,
        schema=SCHEMA,
        purpose=PURPOSE,
    )
    return request, (context, shown) != (conversation, reply)


def read_check(text: str) -> tuple[CheckOutcome, str]:
    """Return the outcome and the reason in a model's reply, which must be exactly one JSON object of the agreed form.

    Raises:
        ParseError: anything else.
    """
    try:
        reply = _Reply.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        raise ParseError(f"{'.'.join(map(str, first['loc'])) or 'reply'}: {first['msg']}: {text[:80]!r}") from None
    return reply.verdict, " ".join(reply.reason.split())[:LONGEST_REASON]


def _prompt_tokens(llm: LlmGroup, model: str) -> int:
    from goldsmith.judge.judges import LlmJudge

    return LlmJudge(name=model, llm=llm).prompt_tokens


def _read(reply: Completion) -> tuple[CheckOutcome, str]:
    if not reply.text.strip():
        raise ParseError("it is empty", kind="empty")
    return read_check(reply.text)


def _check(pair: Pair, side: Side, model: str, reply: Read[tuple[CheckOutcome, str]]) -> Check:
    outcome, reason = reply.value or (None, "")
    return Check(
        pair_id=pair.pair_id, side=side, model=model, outcome=outcome, reason=reason, failure=reply.failure, usage=reply.usage
    )
