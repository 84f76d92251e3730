"""What is asked of a server of each dialect, and where the raw scores stand in its reply; the shapes themselves are those of `goldsmith.wire`.

Every request asks for the raw logit. Shapes: n texts of one request, n scores of its reply, in order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

from pydantic import TypeAdapter, ValidationError

from goldsmith.errors import ProviderError
from goldsmith.wire import cohere, infinity, llamafactory, openrlhf, sglang, tei, vllm
from goldsmith.wire.base import ForeignBody

Asks = Literal["text", "chat", "pair", "rank"]
"""What a request holds: rendered conversations; one conversation as messages; prompts and replies; or one prompt and its replies."""


class NotFinite(ProviderError):
    """A reply of the right form holds a score that is no number: NaN, an infinity, or null."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One text of a request: the conversation as messages, or rendered, as the dialect wants it."""

    messages: Sequence[dict[str, Any]]
    rendered: str = ""

    @property
    def reply(self) -> str:
        """The last message's text."""
        return str(self.messages[-1]["content"])

    @property
    def prompt(self) -> str:
        """The only user turn's text; dialects of prompt and reply have room for no other."""
        return str(self.messages[0]["content"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One way of asking.

    Attributes:
        name: as in `vllm-classify`.
        path: of the address, below the one that the user gives.
        asks: see `Asks`.
        request: its body's type.
        fields: from the texts to the fields of the request; the served model's name comes on top.
        reply: its answer's type.
        scores: from the reply and the number of texts to the scores.
        adds_bos: the server puts the tokenizer's BOS before every rendered text, so the text must not bring its own.
    """

    name: str
    path: str
    asks: Asks
    request: type[ForeignBody]
    fields: Callable[[Sequence[Query]], dict[str, Any]]
    reply: Any
    scores: Callable[[Any, int], list[float]]
    adds_bos: bool = False

    def body(self, model: str | None, queries: Sequence[Query]) -> dict[str, Any]:
        """Return what is sent for these texts; a dialect whose request names no model leaves its name out."""
        named = {"model": model} if model is not None and "model" in self.request.model_fields else {}
        return self.request.model_validate({**self.fields(queries), **named}).body


def parsed(dialect: Dialect, reply: Any, num: int) -> list[float]:
    """Return the scores of a reply in the order of its texts.

    Raises:
        NotFinite: one of them is no number.
        ProviderError: the reply has another form, or another number of scores.
    """
    try:
        found = dialect.scores(TypeAdapter(dialect.reply).validate_python(reply), num)
    except ValidationError as error:
        if any(_is_not_finite(detail) for detail in error.errors(include_url=False)):
            raise NotFinite("the server's score is not finite") from None
        first = error.errors(include_url=False)[0]
        raise _another_form(dialect, f"{'.'.join(map(str, first['loc']))}: {first['msg']}", reply) from None
    except ValueError as error:
        raise _another_form(dialect, str(error), reply) from None
    if len(found) != num:
        raise ProviderError(f"{len(found)} scores came for {num} texts in {dialect.name}; nothing was guessed, check the server")
    return found


def _another_form(dialect: Dialect, detail: str, reply: Any) -> ProviderError:
    return ProviderError(
        f"the reply is none of {dialect.name} ({detail}): {str(reply)[:200]}; is the dialect right, and does the server hold a model with "
        "one score?"
    )


def _is_not_finite(detail: Any) -> bool:
    return detail["type"] == "finite_number" or (detail["type"] == "float_type" and detail["input"] is None)


def _texts(queries: Sequence[Query]) -> list[str]:
    return [query.rendered for query in queries]


def _replies(queries: Sequence[Query]) -> list[str]:
    return [query.reply for query in queries]


def _ranked(queries: Sequence[Query]) -> dict[str, Any]:
    return {"query": queries[0].prompt, "documents": _replies(queries)}


class _Placed(Protocol):
    @property
    def index(self) -> int: ...


Row = TypeVar("Row", bound=_Placed)


def _by_index(rows: Sequence[Row], num: int, value: Callable[[Row], float]) -> list[float]:
    """Return values of rows that tell their own place; a place that is missing or told twice is an error."""
    places = {row.index: value(row) for row in rows}
    if len(rows) != num or sorted(places) != list(range(num)):
        raise ValueError(f"places {[row.index for row in rows]} for {num} texts")
    return [places[place] for place in range(num)]


Value = TypeVar("Value")


def _single(values: Sequence[Value] | str) -> Value:
    """The one value of a classifier with one label."""
    if isinstance(values, str) or len(values) != 1:
        raise ValueError(f"{len(values)} labels, and a reward model has one")
    return values[0]


def _last(values: Sequence[float] | str) -> float:
    """The last number of a vector, as RL frameworks read it."""
    if isinstance(values, str) or not values:
        raise ValueError("an embedding is no list of numbers")
    return values[-1]


_NO_ACTIVATION = {"use_activation": False}
_AS_RENDERED = {**_NO_ACTIVATION, "add_special_tokens": False}
DIALECTS: dict[str, Dialect] = {
    dialect.name: dialect
    for dialect in (
        Dialect(
            # Older servers call the switch `activation`.
            name="vllm-classify", path=vllm.CLASSIFY, asks="text", request=vllm.ClassifyRequest, reply=vllm.ClassifyReply,
            fields=lambda queries: {"input": _texts(queries), "activation": False, **_AS_RENDERED},
            scores=lambda reply, num: _by_index(reply.data, num, lambda row: _single(row.probs)),
        ),
        Dialect(
            name="vllm-chat", path=vllm.CLASSIFY, asks="chat", request=vllm.ClassifyRequest, reply=vllm.ClassifyReply,
            fields=lambda queries: {"messages": list(queries[0].messages), "add_generation_prompt": False, **_NO_ACTIVATION},
            scores=lambda reply, num: _by_index(reply.data, num, lambda row: _single(row.probs)),
        ),
        Dialect(
            name="vllm-pooling", path=vllm.POOLING, asks="text", request=vllm.PoolingRequest, reply=vllm.PoolingReply,
            fields=lambda queries: {"input": _texts(queries), "task": "classify", **_AS_RENDERED},
            scores=lambda reply, num: _by_index(reply.data, num, lambda row: _single(row.data)),
        ),
        Dialect(
            name="vllm-score", path=vllm.SCORE, asks="pair", request=vllm.ScoreRequest, reply=vllm.ScoreReply,
            fields=lambda queries: {"text_1": [query.prompt for query in queries], "text_2": _replies(queries), **_NO_ACTIVATION},
            scores=lambda reply, num: _by_index(reply.data, num, lambda row: row.score),
        ),
        Dialect(
            name="vllm-rerank", path=vllm.RERANK, asks="rank", request=vllm.RerankRequest, reply=vllm.RerankReply,
            fields=lambda queries: {**_ranked(queries), "top_n": 0, **_NO_ACTIVATION},
            scores=lambda reply, num: _by_index(reply.results, num, lambda row: row.relevance_score),
        ),
        Dialect(
            name="cohere-rerank", path=cohere.RERANK, asks="rank", request=cohere.RerankRequest, reply=cohere.RerankReply,
            fields=lambda queries: {**_ranked(queries), "top_n": len(queries)},
            scores=lambda reply, num: _by_index(reply.results, num, lambda row: row.relevance_score),
        ),
        Dialect(
            name="sglang-classify", path=sglang.CLASSIFY, asks="text", adds_bos=True, request=sglang.ClassifyRequest,
            fields=lambda queries: {"text": _texts(queries)}, reply=sglang.Classification,
            scores=lambda reply, _num: [_last(item.embedding) for item in (reply if isinstance(reply, list) else [reply])],
        ),
        Dialect(
            name="sglang-embeddings", path=sglang.EMBEDDINGS, asks="text", adds_bos=True, request=sglang.EmbeddingsRequest,
            fields=lambda queries: {"input": _texts(queries)}, reply=sglang.EmbeddingsReply,
            scores=lambda reply, num: _by_index(reply.data, num, lambda row: _last(row.embedding)),
        ),
        Dialect(
            name="sglang-rerank", path=sglang.RERANK, asks="rank", request=sglang.RerankRequest, fields=_ranked, reply=list[sglang.Reranked],
            scores=lambda reply, num: _by_index(reply, num, lambda row: row.score),
        ),
        Dialect(
            name="tei-predict", path=tei.PREDICT, asks="text", adds_bos=True, request=tei.PredictRequest, reply=list[list[tei.Prediction]],
            fields=lambda queries: {"inputs": [[text] for text in _texts(queries)], "raw_scores": True, "truncate": False},
            scores=lambda reply, _num: [_single(item).score for item in reply],
        ),
        Dialect(
            name="tei-rerank", path=tei.RERANK, asks="rank", request=tei.RerankRequest, reply=list[tei.Rank],
            fields=lambda queries: {"query": queries[0].prompt, "texts": _replies(queries), "raw_scores": True, "truncate": False},
            scores=lambda reply, num: _by_index(reply, num, lambda row: row.score),
        ),
        Dialect(
            name="infinity-classify", path=infinity.CLASSIFY, asks="text", adds_bos=True, request=infinity.ClassifyRequest,
            fields=lambda queries: {"input": _texts(queries), "raw_scores": True}, reply=infinity.ClassifyReply,
            scores=lambda reply, _num: [_single(item).score for item in reply.data],
        ),
        Dialect(
            name="infinity-rerank", path=infinity.RERANK, asks="rank", request=infinity.RerankRequest, reply=infinity.RerankReply,
            fields=lambda queries: {**_ranked(queries), "raw_scores": True},
            scores=lambda reply, num: _by_index(reply.results, num, lambda row: row.relevance_score),
        ),
        Dialect(
            name="llamafactory", path=llamafactory.EVALUATION, asks="text", request=llamafactory.EvaluationRequest,
            # A model's name is required there, and decides nothing.
            fields=lambda queries: {"model": "", "messages": _texts(queries)}, reply=llamafactory.EvaluationReply,
            scores=lambda reply, _num: list(reply.scores),
        ),
        Dialect(
            name="openrlhf", path=openrlhf.REWARD, asks="text", request=openrlhf.RewardRequest, reply=openrlhf.RewardReply,
            fields=lambda queries: {"query": _texts(queries), "prompts": [query.prompt for query in queries], "labels": [None for _ in queries]},
            scores=lambda reply, _num: list(reply.rewards),
        ),
    )
}  # fmt: skip
"""By name."""
