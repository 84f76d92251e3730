"""vLLM's pooling endpoints: /classify, /pooling, /score, /rerank."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import AliasChoices, Field

from goldsmith.wire.base import ForeignBody, Reply, Score, Turn, Usage

CLASSIFY, POOLING, SCORE, RERANK = "/classify", "/pooling", "/score", "/rerank"
"""Paths."""
Input = str | list[int] | list[str] | list[list[int]]
Side = str | dict[str, Any]
"""A text, or an object with `content` parts."""


class _Common(ForeignBody):
    without_effect: ClassVar[frozenset[str]] = frozenset({"cache_salt", "priority"})
    model: str | None = None
    user: str | None = None
    truncate_prompt_tokens: int | None = Field(default=None, ge=-1)
    truncation_side: Literal["left", "right"] | None = None
    request_id: str | None = None
    priority: int = 0
    mm_processor_kwargs: dict[str, Any] | None = None
    cache_salt: str | None = None
    add_special_tokens: bool | None = None
    use_activation: bool | None = Field(default=None, validation_alias=AliasChoices("use_activation", "activation"))


class ClassifyRequest(_Common):
    """Text rendered by the chat template or token ids in `input`, or a conversation in `messages`."""

    input: Input | None = None
    messages: list[Turn] | None = None
    padding: bool | str | None = None
    add_generation_prompt: bool = False
    continue_final_message: bool = False
    chat_template: str | None = None
    chat_template_kwargs: dict[str, Any] | None = None
    media_io_kwargs: dict[str, Any] | None = None


class PoolingRequest(ClassifyRequest):
    """The same inputs; `task` may only be `classify`, the reward of the whole conversation."""

    task: str | None = None
    encoding_format: Literal["float", "base64"] = "float"
    embed_dtype: str | None = None
    endianness: str | None = None
    dimensions: int | None = None


class ScoreRequest(_Common):
    """A prompt and its reply, or lists of them: one to many, or many to as many."""

    text_1: Side | list[Side] | None = None
    text_2: Side | list[Side] | None = None
    data_1: Side | list[Side] | None = None
    data_2: Side | list[Side] | None = None
    queries: Side | list[Side] | None = None
    documents: Side | list[Side] | None = None
    items: Side | list[Side] | None = None


class RerankRequest(_Common):
    """A prompt and its replies."""

    query: Side
    documents: list[Side]
    top_n: int = Field(default=0, ge=0)


class Class(Reply):
    """The reward of one input, as the only probability of a classifier."""

    index: int
    label: str | None
    probs: list[Score]
    num_classes: int


class ClassifyReply(Reply):
    """Rewards in the order of the inputs."""

    id: str
    object: Literal["list"] = "list"
    created: int
    model: str
    data: list[Class]
    usage: Usage


class Pooled(Reply):
    """The reward of one input, as a vector of length one, or that as base64 of a little-endian float32."""

    index: int
    object: Literal["pooling"] = "pooling"
    data: list[Score] | str


class PoolingReply(Reply):
    """Rewards in the order of the inputs."""

    id: str
    object: Literal["list"] = "list"
    created: int
    model: str
    data: list[Pooled]
    usage: Usage


class PairScore(Reply):
    """The reward of one pair of prompt and reply."""

    index: int
    object: Literal["score"] = "score"
    score: Score


class ScoreReply(Reply):
    """Rewards in the order of the pairs."""

    id: str
    object: Literal["list"] = "list"
    created: int
    model: str
    data: list[PairScore]
    usage: Usage


class Document(Reply):
    """A document as it was given."""

    text: str | None = None
    multi_modal: dict[str, Any] | None = None


class Relevance(Reply):
    """One document's place."""

    index: int
    document: Document
    relevance_score: Score


class RerankUsage(Reply):
    """Tokens of a request."""

    prompt_tokens: int = 0
    total_tokens: int


class RerankReply(Reply):
    """Documents, best first."""

    id: str
    model: str
    usage: RerankUsage
    results: list[Relevance]


class ErrorInfo(Reply):
    """What went wrong."""

    message: str
    type: str
    param: str | None = None
    code: int


class ErrorReply(Reply):
    """The shape of vLLM's errors."""

    error: ErrorInfo
