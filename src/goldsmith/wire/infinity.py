"""Infinity's /classify and /rerank, which clients ask; nothing here serves them."""

from __future__ import annotations

from pydantic import Field

from goldsmith.wire.base import ForeignBody, Reply, Score

CLASSIFY, RERANK = "/classify", "/rerank"
"""Paths."""


class ClassifyRequest(ForeignBody):
    """Texts rendered by the chat template."""

    model: str | None = None
    input: list[str] = Field(min_length=1)
    raw_scores: bool | None = None


class Label(Reply):
    """The reward as the score of the only label."""

    score: Score
    label: str = ""


class ClassifyReply(Reply):
    """Labels of each text, in the order of the texts."""

    data: list[list[Label]]


class RerankRequest(ForeignBody):
    """A prompt and its replies."""

    model: str | None = None
    query: str
    documents: list[str] = Field(min_length=1)
    raw_scores: bool | None = None
    top_n: int | None = None


class Relevance(Reply):
    """One document's place."""

    index: int
    relevance_score: Score


class RerankReply(Reply):
    """Documents, best first."""

    results: list[Relevance]
