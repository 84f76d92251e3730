"""LLaMA-Factory's /v1/score/evaluation."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from goldsmith.wire.base import ForeignBody, Reply, Score

EVALUATION = "/v1/score/evaluation"
"""Its path."""


class EvaluationRequest(ForeignBody):
    """Texts rendered by the chat template."""

    model: str | None = None
    messages: list[str] = Field(min_length=1)
    max_length: int | None = Field(default=None, ge=1)


class EvaluationReply(Reply):
    """Rewards in the order of the texts."""

    id: str
    object: Literal["score.evaluation"] = "score.evaluation"
    model: str
    scores: list[Score]


class ErrorReply(Reply):
    """The shape of LLaMA-Factory's errors."""

    detail: str
