"""Human votes: how many, from where, and how good they must be."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from goldsmith.config.base import Section


class GoldConfig(Section):
    """Votes, disputes and the gate."""

    recorded_votes: list[Path] = Field(default_factory=list)
    """Files of recorded votes, with or without the pairs they judge; see docs/votes.md."""
    recorded_limit: int | None = Field(default=None, ge=1)
    """At most this many of the pairs that recorded votes bring along, drawn by hash."""
    seed_budget: int = Field(default=200, ge=0)
    """Pairs of the seed that go to people."""
    human_budget: int = Field(default=50, ge=0)
    """Pairs that go to people in each round."""
    votes_per_pair: int = Field(default=3, ge=1)
    """Independent first-round votes."""
    min_alpha: float = Field(default=0.85, ge=-1.0, le=1.0)
    """Krippendorff's alpha that a batch must exceed."""
    enforce_gate: bool | None = None
    """Keep what fails the gate out of gold; none: enforced for live votes, reported for recorded ones."""
    max_strength_gap: int = Field(default=2, ge=1)
    """Votes whose signed strengths differ by more go to an expert."""
    minimum: int = Field(default=30, ge=3)
    """Gold pairs below which the run stops and asks for more votes."""
    cross_check: str = ""
    """RewardBench's file or folder, or `hf:allenai/reward-bench:filtered`: each round is scored on it, and a drop flags what came into gold since. Empty: looked for in
    `evaluate.suite`, and left out where it is not there."""
    cross_check_items: int = Field(default=500, ge=0)
    """Items of it that are scored, drawn by their ids; 0: all."""
    undecided_max_growth: float = Field(default=2.0, ge=1.0)
    """While the gate cannot decide about first-round votes, more pairs of the seed (or of what the round retrieved) go to people, up to so many times the budget."""
    retest_share: float = Field(default=0.05, ge=0.0, le=1.0)
    """Share of verified pairs that are judged again, blind, by other annotators."""
    retest_same_share: float = Field(default=0.02, ge=0.0, le=1.0)
    """Share of verified pairs that return to one of those who voted first."""
    retest_same_days: float = Field(default=7.0, ge=0.0)
    """Days after which they return."""
    retest_max_share: float = Field(default=0.5, ge=0.0, le=1.0)
    """Most of a batch's verified pairs that are judged again while the gate is undecided."""
