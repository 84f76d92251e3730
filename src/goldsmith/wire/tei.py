"""text-embeddings-inference: /predict and /rerank."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from goldsmith.wire.base import ForeignBody, Reply, Score

PREDICT, RERANK = "/predict", "/rerank"
"""Paths."""
Side = Literal["left", "right", "Left", "Right"]


class PredictRequest(ForeignBody):
    """Text rendered by the chat template, a pair of prompt and reply, or a batch: a list of lists of one text or of two."""

    inputs: str | list[str] | list[list[str]]
    truncate: bool | None = None
    truncation_direction: Side | None = None
    raw_scores: bool | None = Field(default=None, description="`false` asks for a sigmoid; when absent, raw logits are given.")


class Prediction(Reply):
    """The reward as the score of the only label."""

    score: Score
    label: str


Predictions = list[Prediction] | list[list[Prediction]]
"""Of one text, or of a list of texts."""


class RerankRequest(ForeignBody):
    """A prompt and its replies."""

    query: str
    texts: list[str] = Field(min_length=1)
    truncate: bool | None = None
    truncation_direction: Side | None = None
    raw_scores: bool | None = Field(default=None, description="`false` asks for a sigmoid; when absent, raw logits are given.")
    return_text: bool = False


class Rank(Reply):
    """One text's place."""

    index: int
    text: str | None = Field(default=None, exclude_if=lambda text: text is None)
    score: Score


class ErrorReply(Reply):
    """The shape of TEI's errors."""

    error: str
    error_type: str
