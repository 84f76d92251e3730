"""SGLang: native /classify, /v1/embeddings with a reward model behind it, /v1/rerank."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from goldsmith.wire.base import ForeignBody, Reply, Score, Usage

CLASSIFY, EMBEDDINGS, RERANK = "/classify", "/v1/embeddings", "/v1/rerank"
"""Paths."""


class ClassifyRequest(ForeignBody):
    """Text rendered by the chat template, or token ids; one or a list."""

    without_effect: ClassVar[frozenset[str]] = frozenset({"priority"})
    model: str | None = None
    text: str | list[str] | None = None
    input_ids: list[int] | list[list[int]] | None = None
    rid: str | list[str] | None = None
    priority: int | None = None


class Classified(Reply):
    """The reward as the first number of an embedding."""

    embedding: list[Score]
    meta_info: dict[str, Any]


Classification = Classified | list[Classified]
"""Of one text, or of a list of texts."""


class EmbeddingsRequest(ForeignBody):
    """Text rendered by the chat template, or token ids; one or a list."""

    without_effect: ClassVar[frozenset[str]] = frozenset({"priority"})
    model: str | None = None
    input: str | list[int] | list[str] | list[list[int]]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = None
    user: str | None = None
    rid: str | list[str] | None = None
    priority: int | None = None


class Embedded(Reply):
    """The reward as a vector of length one, or that as base64 of a little-endian float32."""

    object: Literal["embedding"] = "embedding"
    embedding: list[Score] | str
    index: int


class EmbeddingsReply(Reply):
    """Rewards in the order of the inputs."""

    object: Literal["list"] = "list"
    model: str
    data: list[Embedded]
    usage: Usage


class RerankRequest(ForeignBody):
    """A prompt and its replies."""

    model: str | None = None
    query: str
    documents: list[str]
    top_n: int | None = Field(default=None, ge=1)
    return_documents: bool = True


class Reranked(Reply):
    """One document's place."""

    score: Score
    document: str | None
    index: int
    meta_info: dict[str, Any] | None = None


class ErrorReply(Reply):
    """The shape of SGLang's errors."""

    object: Literal["error"] = "error"
    message: str
    type: str
    param: str | None = None
    code: int
