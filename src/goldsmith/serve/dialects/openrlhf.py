"""OpenRLHF's remote reward model. Its client retries every status but 200, and reads `rewards`."""

from __future__ import annotations

from goldsmith.serve.dialects.base import Dialect, Route
from goldsmith.serve.dialects.inputs import items_of
from goldsmith.serve.items import Outcome, Plan, sigmoid
from goldsmith.serve.problem import Refusal
from goldsmith.wire import openrlhf as wire


def _plan(request: wire.RewardRequest) -> Plan:
    return Plan(items=items_of(request.query, "query"), ignored=request.unknown)


def _answer(request: wire.RewardRequest, outcome: Outcome) -> wire.RewardReply:
    return wire.RewardReply(rewards=outcome.raw, scores=[sigmoid(value) for value in outcome.raw])


def _problem(refusal: Refusal, request_id: str) -> wire.ErrorReply:
    return wire.ErrorReply(error=refusal.told, retryable=refusal.is_retryable)


DIALECT = Dialect(
    name="openrlhf",
    routes=(
        Route(
            path=wire.REWARD, request=wire.RewardRequest, reply=wire.RewardReply, plan=_plan, answer=_answer,
            summary="Rewards of prompts with their replies.",
        ),
    ),
    error=wire.ErrorReply,
    problem=_problem,
    statuses={},
)  # fmt: skip
