"""text-embeddings-inference's /predict and /rerank. A raw logit where `raw_scores` is absent: TEI itself would apply a sigmoid then."""

from __future__ import annotations

from typing import Any, Literal

from goldsmith.serve.dialects.base import Dialect, Route
from goldsmith.serve.items import Activation, Conversation, Item, Outcome, Plan, Text
from goldsmith.serve.problem import Refusal, bad_request
from goldsmith.wire import tei as wire

LABEL = "LABEL_0"
_TYPES = {
    "overloaded": "Overloaded",
    "rate-limit": "Overloaded",
    "no-input": "Empty",
    "not-scorable": "Tokenizer",
    "loading": "Unhealthy",
    "stopping": "Unhealthy",
    "no-worker": "Unhealthy",
}


def _is_single(inputs: str | list[str] | list[list[str]]) -> bool:
    """One text, or one pair of prompt and reply; a list of lists is a batch."""
    return isinstance(inputs, str) or isinstance(inputs[0], str)


def _plan_predict(request: wire.PredictRequest) -> Plan:
    if not request.inputs:
        raise bad_request("no-input", "`inputs` is empty")
    entries: Any = [request.inputs] if _is_single(request.inputs) else request.inputs
    return Plan(
        items=[_item(entry) for entry in entries],
        activation=_activation(request.raw_scores),
        truncate=request.truncate,
        truncation_side=_side(request.truncation_direction),
        ignored=request.unknown,
    )


def _item(entry: str | list[str]) -> Item:
    texts = [entry] if isinstance(entry, str) else entry
    if len(texts) not in (1, 2):
        raise bad_request(
            "invalid",
            f"`inputs` holds a list of {len(texts)} texts, and one text or a prompt and its reply are read; send a batch as "
            '`[["text"], ["prompt", "reply"]]`',
        )
    return Text(texts[0]) if len(texts) == 1 else Conversation.pair(texts[0], texts[1])


def _predict(request: wire.PredictRequest, outcome: Outcome) -> wire.Predictions:
    found = [[wire.Prediction(score=value, label=LABEL)] for value in outcome.values]
    return found[0] if _is_single(request.inputs) else found


def _plan_rerank(request: wire.RerankRequest) -> Plan:
    return Plan(
        items=[Conversation.pair(request.query, text) for text in request.texts],
        activation=_activation(request.raw_scores),
        truncate=request.truncate,
        truncation_side=_side(request.truncation_direction),
        ignored=request.unknown,
    )


def _rerank(request: wire.RerankRequest, outcome: Outcome) -> list[wire.Rank]:
    return [
        wire.Rank(index=index, text=request.texts[index] if request.return_text else None, score=value)
        for index, value in outcome.ranked()
    ]


def _activation(raw_scores: bool | None) -> Activation:
    return "sigmoid" if raw_scores is False else "none"


def _side(wanted: str | None) -> Literal["left", "right"] | None:
    return None if wanted is None else "right" if wanted.lower() == "right" else "left"


def _problem(refusal: Refusal, request_id: str) -> wire.ErrorReply:
    kind = _TYPES.get(refusal.code, "Validation" if refusal.status < 500 else "Backend")
    return wire.ErrorReply(error=refusal.told, error_type=kind)


DIALECT = Dialect(
    name="tei",
    routes=(
        Route(
            path=wire.PREDICT, request=wire.PredictRequest, reply=wire.Predictions, plan=_plan_predict, answer=_predict,
            summary="Rewards as scores of one label.",
        ),
        Route(
            path=wire.RERANK, request=wire.RerankRequest, reply=list[wire.Rank], plan=_plan_rerank, answer=_rerank,
            summary="Replies to one prompt, best first.",
        ),
    ),
    error=wire.ErrorReply,
    problem=_problem,
    statuses={"overloaded": 429, "malformed": 422, "invalid": 422, "not-scorable": 422, "too-many": 422, "no-input": 400},
)  # fmt: skip
