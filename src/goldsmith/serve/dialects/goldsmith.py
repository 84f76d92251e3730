"""Our own API."""

from __future__ import annotations

from goldsmith.reward.rewards import Reward, deviation, margin_deviation
from goldsmith.serve.dialects.base import Dialect, Route
from goldsmith.serve.items import Conversation, Outcome, Plan, activated
from goldsmith.serve.problem import Refusal
from goldsmith.wire import goldsmith as wire


def _plan_score(request: wire.ScoreRequest) -> Plan:
    items = [
        Conversation.of([turn.plain for turn in turns], f"conversation {index}")
        for index, turns in enumerate(request.conversations)
    ]
    return Plan(
        items=items,
        model=request.model,
        activation=request.activation,
        truncate=request.truncate or None,
        report_failures=request.on_failure == "report",
    )


def _score(request: wire.ScoreRequest, outcome: Outcome) -> wire.ScoreReply:
    return wire.ScoreReply(
        model=outcome.model,
        model_digest=outcome.digest,
        activation=outcome.activation,
        results=[_scored(reward, outcome) for reward in outcome.rewards],
    )


def _scored(reward: Reward, outcome: Outcome) -> wire.Scored:
    if reward.value is None:
        return wire.Scored(score=None, failure=reward.failure or "cannot be scored")
    spread = deviation(reward.by_head) if outcome.activation == "none" else None
    return wire.Scored(score=activated(reward.value, outcome.activation), std=spread, truncated_tokens=reward.cut)


def _plan_rank(request: wire.RankRequest) -> Plan:
    context = [turn.plain for turn in request.context]
    return Plan(
        items=[Conversation(context, reply) for reply in request.replies], model=request.model, truncate=request.truncate or None
    )


def _rank(request: wire.RankRequest, outcome: Outcome) -> wire.RankReply:
    chances = outcome.calibration.best_of(outcome.raw)
    ranking = [
        wire.Ranked(
            index=index,
            score=score,
            p_best=chances[index],
            std=deviation(outcome.rewards[index].by_head),
            truncated_tokens=outcome.rewards[index].cut,
        )
        for index, score in outcome.ranked()
    ]
    return wire.RankReply(
        model=outcome.model, model_digest=outcome.digest, calibrated=outcome.calibration.is_fitted, ranking=ranking
    )


def _plan_compare(request: wire.CompareRequest) -> Plan:
    context = [turn.plain for turn in request.context]
    items = [Conversation(context, request.first), Conversation(context, request.second)]
    return Plan(items=items, model=request.model, truncate=request.truncate or None)


def _compare(request: wire.CompareRequest, outcome: Outcome) -> wire.CompareReply:
    first, second = outcome.raw
    return wire.CompareReply(
        model=outcome.model,
        model_digest=outcome.digest,
        first=first,
        second=second,
        margin=first - second,
        p_first=outcome.calibration.probability(first - second),
        calibrated=outcome.calibration.is_fitted,
        std_margin=margin_deviation(*outcome.rewards),
    )


def _problem(refusal: Refusal, request_id: str) -> wire.ProblemReply:
    problem = wire.Problem(
        code=refusal.code, message=refusal.message, retryable=refusal.is_retryable, details=list(refusal.details)
    )
    return wire.ProblemReply(error=problem)


DIALECT = Dialect(
    name="goldsmith",
    routes=(
        Route(
            path="/v1/score", request=wire.ScoreRequest, reply=wire.ScoreReply, plan=_plan_score, answer=_score,
            summary="Score conversations.",
        ),
        Route(
            path="/v1/rank", request=wire.RankRequest, reply=wire.RankReply, plan=_plan_rank, answer=_rank,
            summary="Rank the replies to one context.",
        ),
        Route(
            path="/v1/compare", request=wire.CompareRequest, reply=wire.CompareReply, plan=_plan_compare, answer=_compare,
            summary="Compare two replies to one context.",
        ),
    ),
    error=wire.ProblemReply,
    problem=_problem,
    statuses={},
)  # fmt: skip
