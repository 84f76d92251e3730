"""Cohere's /v2/rerank. Relevance scores are raw logits, not numbers from 0 to 1."""

from __future__ import annotations

from goldsmith.serve.dialects.base import Dialect, Route
from goldsmith.serve.items import Conversation, Outcome, Plan
from goldsmith.serve.problem import Refusal
from goldsmith.wire import cohere as wire


def _plan(request: wire.RerankRequest) -> Plan:
    return Plan(
        items=[Conversation.pair(request.query, document) for document in request.documents],
        model=request.model,
        truncate=None if request.max_tokens_per_doc is None else True,
        max_tokens=request.max_tokens_per_doc,
        truncation_side="right",
        ignored=request.unknown,
    )


def _answer(request: wire.RerankRequest, outcome: Outcome) -> wire.RerankReply:
    results = [wire.Relevance(index=index, relevance_score=value) for index, value in outcome.ranked(request.top_n)]
    return wire.RerankReply(id=outcome.request_id, results=results)


def _problem(refusal: Refusal, request_id: str) -> wire.ErrorReply:
    return wire.ErrorReply(id=request_id, message=refusal.told)


DIALECT = Dialect(
    name="cohere",
    routes=(
        Route(
            path=wire.RERANK, request=wire.RerankRequest, reply=wire.RerankReply, plan=_plan, answer=_answer,
            summary="Replies to one prompt, best first.",
        ),
    ),
    error=wire.ErrorReply,
    problem=_problem,
    statuses={"overloaded": 429},
)  # fmt: skip
