"""Questions to specialist models about a pair: never for the verdict, always marked as a model's, within a budget of their own."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from goldsmith.annotate.services import services
from goldsmith.annotate.texts import Texts
from goldsmith.annotate.tools.tool import Answer, Desk, Tool, ToolFailure
from goldsmith.annotate.tools.use import LeaseId, use
from goldsmith.annotate.tools.verdicts import asks_for_verdict, gives_verdict, is_refusal
from goldsmith.config.llm import EndpointConfig, LlmConfig
from goldsmith.config.tools import SpecialistConfig, SpecialistsToolConfig, ToolsConfig
from goldsmith.errors import ProviderError, StoreError, UserError
from goldsmith.llm import Completion, LlmGroup
from goldsmith.llm import Request as LlmRequest
from goldsmith.llm.fence import fence_end, fence_tag, fenced, neutralise
from goldsmith.llm.prompt import load_prompt
from goldsmith.llm.request import TOKENS_PER_MESSAGE
from goldsmith.llm.shorten import shorten, tokens_of
from goldsmith.retrieve.text import plain_text

LEDGER = "specialists.sqlite"
"""Calls and answers, apart from those of runs: a question of a person and a run that goes on count against budgets of their own."""
PURPOSE = "specialist"
PROMPT_NAME = "specialist"
PROMPT_TOKENS = 6000
REPLY_SHARE = 0.4
"""Part of the room that each reply gets where all texts are long; the conversation gets the rest."""
MAX_RETRIES = 0
"""A person waits: what failed may be asked again by them."""
ASKED, GAVE = "asked-verdict", "gave-verdict"
FAILURES = {"timeout": "timeout", "budget": "budget", "refused": "refused", "rate-limited": "refused", "server-error": "refused"}
router = APIRouter(tags=["tools"])


class QuestionBody(BaseModel):
    """A question to one of the models."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    question: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]
    model: str = Field(max_length=200)


@router.post("/api/leases/{lease_id}/tools/specialists")
async def ask(request: Request, lease_id: LeaseId, body: QuestionBody) -> Response:
    """Ask a model about this pair."""
    texts = services(request).texts
    return await use(request, TOOL, lease_id, f"{body.model}: {body.question}", lambda desk: _answered(desk, body, texts))


def specialist_request(desk: Desk, specialist: SpecialistConfig, question: str) -> LlmRequest:
    """Return what a model is asked: the pair and the question as material, the replies by their numbers on the person's screen."""
    record = desk.material.record
    conversation = "\n".join(f"{turn['role']}: {plain_text(turn['content'])}" for turn in record["context"])
    replies = [plain_text(record[side]) for side in desk.lease.shown_order]
    texts = [neutralise(text) for text in (conversation, *replies, question)]
    prompt = load_prompt(PROMPT_NAME)
    fixed = sum(tokens_of(text) + TOKENS_PER_MESSAGE for _, text in prompt.messages) + tokens_of(texts[3]) + 60
    room = max(120, (specialist.prompt_tokens or PROMPT_TOKENS) - fixed)
    shown = [
        shorten(text, max(int(room * REPLY_SHARE), room - tokens_of(texts[0]) - tokens_of(other)))
        for text, other in (texts[1:3], texts[2:0:-1])
    ]
    context = shorten(texts[0], max(1, room - sum(map(tokens_of, shown))))
    tag = fence_tag(texts)
    titles = ("request", "reply 1", "reply 2", "question")
    blocks = [fenced(title, text, tag) for title, text in zip(titles, [context, *shown, texts[3]], strict=True)]
    material = "\n".join([*blocks, fence_end(tag)])
    return LlmRequest(
        endpoint=specialist.name,
        messages=prompt.fill({"about": specialist.about or "facts", "material": material}),
        max_tokens=specialist.max_reply_tokens,
        purpose=PURPOSE,
    )


def _settings(rules: ToolsConfig) -> dict[str, Any] | None:
    models = [{"name": one.name, "about": one.about} for one in rules.specialists.endpoints]
    return {"models": models} if models else None


def _answered(desk: Desk, body: QuestionBody, texts: Texts) -> Answer:
    rules = desk.rules.specialists
    specialist = next((one for one in rules.endpoints if one.name == body.model), None)
    if specialist is None:
        raise ToolFailure("refused", f"no model is named '{body.model}'")
    if asks_for_verdict(body.question):
        raise ToolFailure(ASKED, flag=ASKED)
    found = _called(desk, rules, specialist_request(desk, specialist, body.question))
    if is_refusal(found.text):
        raise ToolFailure(ASKED, flag=ASKED)
    if not found.text.strip():
        raise ToolFailure("bad-answer", "the answer is empty")
    if gives_verdict(found.text):
        raise ToolFailure(GAVE, flag=GAVE)
    shown = {"model": specialist.name, "html": texts.html(found.text), "cut": found.finish_reason == "length"}
    return Answer(shown=shown, told=found.text)


def _called(desk: Desk, rules: SpecialistsToolConfig, request: LlmRequest) -> Completion:
    """One group for each question: its budget starts from the ledger, where calls that others wait for stand too."""
    try:
        with LlmGroup(_as_llm(rules), desk.folder / LEDGER, seed=0) as group:
            outcome = group.complete_many([request])[0]
    except ProviderError as error:
        raise ToolFailure("unreachable", str(error)) from error
    except (StoreError, UserError) as error:
        raise ToolFailure("refused", str(error)) from error
    if isinstance(outcome, Completion):
        return outcome
    raise ToolFailure(FAILURES.get(outcome.kind, "bad-answer"), outcome.kind)


def _as_llm(rules: SpecialistsToolConfig) -> LlmConfig:
    plain = [EndpointConfig(**one.model_dump(include=set(EndpointConfig.model_fields))) for one in rules.endpoints]
    return LlmConfig(
        endpoints=plain,
        max_calls=rules.max_calls,
        max_tokens=rules.max_tokens,
        max_cost=rules.max_cost,
        timeout_s=rules.timeout_s,
        max_retries=MAX_RETRIES,
    )


TOOL = Tool(name="specialists", key="A", router=router, settings=_settings)
