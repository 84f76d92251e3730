"""Cohere's /v2/rerank."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from goldsmith.wire.base import ForeignBody, Reply, Score

RERANK = "/v2/rerank"
"""Its path."""


class RerankRequest(ForeignBody):
    """A prompt and its replies."""

    without_effect: ClassVar[frozenset[str]] = frozenset({"priority"})
    model: str | None = None
    query: str
    documents: list[str] = Field(min_length=1)
    top_n: int | None = Field(default=None, ge=1)
    max_tokens_per_doc: int | None = Field(default=None, ge=1)
    priority: int | None = None


class Relevance(Reply):
    """One document's place."""

    index: int
    relevance_score: Score


class Version(Reply):
    """The version of the API."""

    version: str = "2"


class BilledUnits(Reply):
    """One search for each request."""

    search_units: float = 1


class Meta(Reply):
    """What Cohere's clients read about a reply."""

    api_version: Version = Version()
    billed_units: BilledUnits = BilledUnits()


class RerankReply(Reply):
    """Documents, best first; version 2 gives no texts back."""

    id: str
    results: list[Relevance]
    meta: Meta = Meta()


class ErrorReply(Reply):
    """The shape of Cohere's errors."""

    id: str | None = None
    message: str
