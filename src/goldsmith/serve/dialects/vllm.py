"""vLLM's pooling API. A raw logit where `use_activation` is absent: vLLM itself would apply a sigmoid then."""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from goldsmith.serve.dialects.base import Dialect, Route
from goldsmith.serve.dialects.inputs import activation_of, items_of, refuse_fields
from goldsmith.serve.items import Conversation, Item, Outcome, Plan
from goldsmith.serve.problem import Refusal, bad_request
from goldsmith.wire import vllm as wire
from goldsmith.wire.base import Usage

LABEL = "LABEL_0"
_TYPES = {401: "AuthenticationError", 403: "PermissionDeniedError", 404: "NotFoundError", 429: "RateLimitError"}


def _plan_classify(request: wire.ClassifyRequest) -> Plan:
    if (request.input is None) == (request.messages is None):
        raise bad_request("no-input", "exactly one of `input` and `messages` is needed")
    refuse_fields(
        {
            name: getattr(request, name)
            for name in ("chat_template", "chat_template_kwargs", "mm_processor_kwargs", "media_io_kwargs")
        },
        {"chat_template_kwargs": ({},), "mm_processor_kwargs": ({},), "media_io_kwargs": ({},)},
    )
    refuse_fields(
        {"add_generation_prompt": request.add_generation_prompt, "continue_final_message": request.continue_final_message},
        {"add_generation_prompt": (False,), "continue_final_message": (False,)},
    )
    if request.messages is not None:
        items: list[Item] = [Conversation.of([turn.plain for turn in request.messages])]
    else:
        items = items_of(request.input, "input")
    return _plan(request, items)


def _plan_pooling(request: wire.PoolingRequest) -> Plan:
    refuse_fields(
        {name: getattr(request, name) for name in ("task", "embed_dtype", "endianness", "dimensions")},
        {"task": ("classify",), "embed_dtype": ("float32",), "endianness": ("native", "little")},
    )
    return _plan_classify(request)


def _plan(request: Any, items: list[Item]) -> Plan:
    length = request.truncate_prompt_tokens
    return Plan(
        items=items,
        model=request.model,
        activation=activation_of(request.use_activation),
        truncate=None if length is None else True,
        max_tokens=None if length in (None, -1) else length,
        truncation_side=request.truncation_side,
        ignored=request.unknown,
    )


def _classify(request: wire.ClassifyRequest, outcome: Outcome) -> wire.ClassifyReply:
    return wire.ClassifyReply(
        id=f"classify-{outcome.request_id}",
        created=outcome.created,
        model=outcome.model,
        data=[wire.Class(index=index, label=LABEL, probs=[value], num_classes=1) for index, value in enumerate(outcome.values)],
        usage=Usage.of(outcome.total_tokens),
    )


def _pooling(request: wire.PoolingRequest, outcome: Outcome) -> wire.PoolingReply:
    def encoded(value: float) -> list[float] | str:
        return [value] if request.encoding_format == "float" else base64.b64encode(struct.pack("<f", value)).decode()

    return wire.PoolingReply(
        id=f"pool-{outcome.request_id}",
        created=outcome.created,
        model=outcome.model,
        data=[wire.Pooled(index=index, data=encoded(value)) for index, value in enumerate(outcome.values)],
        usage=Usage.of(outcome.total_tokens),
    )


def _plan_score(request: wire.ScoreRequest) -> Plan:
    named = [
        (left, right)
        for left, right in (
            (request.text_1, request.text_2),
            (request.data_1, request.data_2),
            (request.queries, request.documents),
            (request.queries, request.items),
        )
        if left is not None and right is not None
    ]
    if len(named) != 1:
        raise bad_request(
            "no-input",
            "exactly one is needed of `text_1` and `text_2`, `data_1` and `data_2`, `queries` and `documents` or `items`",
        )
    prompts, replies = (_listed(side) for side in named[0])
    if len(prompts) == 1:
        prompts = prompts * len(replies)
    if not replies or len(prompts) != len(replies):
        raise bad_request(
            "unequal", f"{len(prompts)} prompts and {len(replies)} replies: there must be one prompt, or as many as replies"
        )
    return _plan(request, [_pair(prompt, reply) for prompt, reply in zip(prompts, replies, strict=True)])


def _score(request: wire.ScoreRequest, outcome: Outcome) -> wire.ScoreReply:
    return wire.ScoreReply(
        id=f"score-{outcome.request_id}",
        created=outcome.created,
        model=outcome.model,
        data=[wire.PairScore(index=index, score=value) for index, value in enumerate(outcome.values)],
        usage=Usage.of(outcome.total_tokens),
    )


def _plan_rerank(request: wire.RerankRequest) -> Plan:
    if not request.documents:
        raise bad_request("no-input", "`documents` is empty")
    return _plan(request, [_pair(request.query, document) for document in request.documents])


def _rerank(request: wire.RerankRequest, outcome: Outcome) -> wire.RerankReply:
    return wire.RerankReply(
        id=f"rerank-{outcome.request_id}",
        model=outcome.model,
        usage=wire.RerankUsage(prompt_tokens=outcome.total_tokens, total_tokens=outcome.total_tokens),
        results=[
            wire.Relevance(index=index, document=wire.Document(text=_text(request.documents[index])), relevance_score=value)
            for index, value in outcome.ranked(request.top_n)
        ],
    )


def _listed(side: Any) -> list[Any]:
    return list(side) if isinstance(side, list) else [side]


def _pair(prompt: Any, reply: Any) -> Conversation:
    return Conversation([{"role": "user", "content": _content(prompt)}], _content(reply))


def _content(side: Any) -> Any:
    """Return a text, or the parts of an object; the renderer refuses parts that are no text, by their type."""
    return side.get("content") if isinstance(side, Mapping) else side


def _text(side: Any) -> str:
    content = _content(side)
    return content if isinstance(content, str) else "".join(str(part.get("text", "")) for part in content)


def problem(refusal: Refusal, request_id: str) -> wire.ErrorReply:
    """Return an error in vLLM's shape."""
    kind = _TYPES.get(refusal.status, "BadRequestError" if refusal.status < 500 else "InternalServerError")
    return wire.ErrorReply(error=wire.ErrorInfo(message=refusal.told, type=kind, code=refusal.status))


CLASSIFY = Route(
    path=wire.CLASSIFY, request=wire.ClassifyRequest, reply=wire.ClassifyReply, plan=_plan_classify, answer=_classify,
    summary="Rewards as the probabilities of one class.",
)  # fmt: skip
_SCORE = Route(
    path=wire.SCORE, request=wire.ScoreRequest, reply=wire.ScoreReply, plan=_plan_score, answer=_score,
    summary="Rewards of prompts and replies.",
)  # fmt: skip
_RERANK = Route(
    path=wire.RERANK, request=wire.RerankRequest, reply=wire.RerankReply, plan=_plan_rerank, answer=_rerank,
    summary="Replies to one prompt, best first.",
)  # fmt: skip


def _at(route: Route, path: str) -> Route:
    return replace(route, path=path)


DIALECT = Dialect(
    name="vllm",
    routes=(
        CLASSIFY,
        Route(
            path=wire.POOLING, request=wire.PoolingRequest, reply=wire.PoolingReply, plan=_plan_pooling, answer=_pooling,
            summary="Rewards as vectors of length one.",
        ),
        _SCORE,
        _at(_SCORE, f"/v1{wire.SCORE}"),
        _RERANK,
        _at(_RERANK, f"/v1{wire.RERANK}"),
        _at(_RERANK, f"/v2{wire.RERANK}"),
    ),
    error=wire.ErrorReply,
    problem=problem,
    statuses={},
)  # fmt: skip
