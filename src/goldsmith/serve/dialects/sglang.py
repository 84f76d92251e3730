"""SGLang's native /classify, /v1/embeddings as it is used for reward models, and /v1/rerank."""

from __future__ import annotations

import base64
import struct
from typing import Any

from goldsmith.serve.dialects.base import Dialect, Route
from goldsmith.serve.dialects.inputs import items_of, refuse_fields
from goldsmith.serve.items import Conversation, Outcome, Plan
from goldsmith.serve.problem import Refusal, bad_request
from goldsmith.wire import sglang as wire
from goldsmith.wire.base import Usage


def _plan_classify(request: wire.ClassifyRequest) -> Plan:
    if (request.text is None) == (request.input_ids is None):
        raise bad_request("no-input", "exactly one of `text` and `input_ids` is needed")
    items = items_of(request.text, "text") if request.text is not None else items_of(request.input_ids, "input_ids")
    return Plan(items=items, model=request.model, ignored=request.unknown)


def _classify(request: wire.ClassifyRequest, outcome: Outcome) -> wire.Classification:
    found = [
        wire.Classified(embedding=[value], meta_info={"id": f"{outcome.request_id}-{index}", "prompt_tokens": tokens})
        for index, (value, tokens) in enumerate(zip(outcome.values, outcome.tokens, strict=True))
    ]
    given: Any = request.text if request.text is not None else request.input_ids
    return found[0] if isinstance(given, str) or isinstance(given[0], int) else found


def _plan_embeddings(request: wire.EmbeddingsRequest) -> Plan:
    refuse_fields({"dimensions": request.dimensions}, {"dimensions": (1,)})
    return Plan(items=items_of(request.input, "input"), model=request.model, ignored=request.unknown)


def _embeddings(request: wire.EmbeddingsRequest, outcome: Outcome) -> wire.EmbeddingsReply:
    def encoded(value: float) -> list[float] | str:
        return [value] if request.encoding_format == "float" else base64.b64encode(struct.pack("<f", value)).decode()

    return wire.EmbeddingsReply(
        model=outcome.model,
        data=[wire.Embedded(embedding=encoded(value), index=index) for index, value in enumerate(outcome.values)],
        usage=Usage.of(outcome.total_tokens),
    )


def _plan_rerank(request: wire.RerankRequest) -> Plan:
    if not request.documents:
        raise bad_request("no-input", "`documents` is empty")
    items = [Conversation.pair(request.query, document) for document in request.documents]
    return Plan(items=items, model=request.model, ignored=request.unknown)


def _rerank(request: wire.RerankRequest, outcome: Outcome) -> list[wire.Reranked]:
    return [
        wire.Reranked(score=value, document=request.documents[index] if request.return_documents else None, index=index)
        for index, value in outcome.ranked(request.top_n)
    ]


def _problem(refusal: Refusal, request_id: str) -> wire.ErrorReply:
    kind = "BadRequestError" if refusal.status < 500 else "InternalServerError"
    return wire.ErrorReply(message=refusal.told, type=kind, code=refusal.status)


EMBEDDINGS = Route(
    path=wire.EMBEDDINGS, request=wire.EmbeddingsRequest, reply=wire.EmbeddingsReply, plan=_plan_embeddings, answer=_embeddings,
    summary="Rewards as embeddings of length one.",
)  # fmt: skip

DIALECT = Dialect(
    name="sglang",
    routes=(
        Route(
            path=wire.CLASSIFY, request=wire.ClassifyRequest, reply=wire.Classification, plan=_plan_classify, answer=_classify,
            summary="Rewards as the first number of embeddings.",
        ),
        EMBEDDINGS,
        Route(
            path=wire.RERANK, request=wire.RerankRequest, reply=list[wire.Reranked], plan=_plan_rerank, answer=_rerank,
            summary="Replies to one prompt, best first.",
        ),
    ),
    error=wire.ErrorReply,
    problem=_problem,
    statuses={},
)  # fmt: skip
