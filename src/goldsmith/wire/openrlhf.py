"""OpenRLHF's remote reward model: /get_reward."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from goldsmith.wire.base import ForeignBody, Reply, Score

REWARD = "/get_reward"
"""Its path."""


class RewardRequest(ForeignBody):
    """Prompts with their replies, decoded with special tokens kept; `prompts` and `labels` decide nothing here."""

    query: str | list[str]
    prompts: Any = None
    labels: Any = None


class RewardReply(Reply):
    """Raw rewards; `scores`, which dynamic filtering reads as numbers from 0 to 1, are their sigmoid."""

    rewards: list[Score]
    scores: list[Score] = Field(default_factory=list)
    extra_logs: dict[str, list[Score]] = Field(default_factory=dict)


class ErrorReply(Reply):
    """OpenRLHF's client reads the status alone; this says why."""

    error: str
    retryable: bool
