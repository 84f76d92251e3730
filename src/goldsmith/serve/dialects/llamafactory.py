"""LLaMA-Factory's /v1/score/evaluation."""

from __future__ import annotations

from goldsmith.serve.dialects.base import Dialect, Route
from goldsmith.serve.items import Outcome, Plan, Text
from goldsmith.serve.problem import Refusal
from goldsmith.wire import llamafactory as wire


def _plan(request: wire.EvaluationRequest) -> Plan:
    return Plan(
        items=[Text(text) for text in request.messages],
        model=request.model,
        truncate=None if request.max_length is None else True,
        max_tokens=request.max_length,
        truncation_side="right",
        ignored=request.unknown,
    )


def _answer(request: wire.EvaluationRequest, outcome: Outcome) -> wire.EvaluationReply:
    return wire.EvaluationReply(id=f"scoreeval-{outcome.request_id}", model=outcome.model, scores=outcome.values)


def _problem(refusal: Refusal, request_id: str) -> wire.ErrorReply:
    return wire.ErrorReply(detail=refusal.told)


DIALECT = Dialect(
    name="llamafactory",
    routes=(
        Route(
            path=wire.EVALUATION, request=wire.EvaluationRequest, reply=wire.EvaluationReply, plan=_plan, answer=_answer,
            summary="Rewards of rendered texts.",
        ),
    ),
    error=wire.ErrorReply,
    problem=_problem,
    statuses={},
)  # fmt: skip
