"""What comes into the pool, and what is kept out of it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from goldsmith.config.base import Section


class PoolConfig(Section):
    """Sources, noise and decontamination."""

    sources: list[str] = Field(default_factory=list)
    """Files or hub ids (`hf:org/name`) that `goldsmith run` adds when the pool is empty; relative to the configuration file.
    `$GOLDSMITH_DATA` stands for the evaluation data's folder."""
    benchmarks: list[str] = Field(default_factory=list)
    """Files or folders of evaluation sets; no pair that shares a 13-gram with one of their prompts enters the pool."""
    limit: int | None = Field(default=None, ge=1)
    """At most this many pairs, drawn by hash and `seed`; none: all."""
    flip_share: float = Field(default=0.0, ge=0.0, le=1.0)
    """Share of labels reversed on purpose, for experiments that need a known noise; recorded in the lineage."""
    near_duplicates: bool = True
    """Report near-duplicates (they are never dropped)."""
    max_line_mb: int = Field(default=64, ge=1)
    """A longer line is rejected with its line number instead of being read into memory."""


class EngineConfig(Section):
    """Where tables are computed."""

    runner: Literal["native", "ray"] = "native"
    """`native`: this machine; `ray`: a Ray cluster."""
    ray_address: str | None = None
    """Address of the Ray cluster; none starts a local one."""
    workers: int | None = Field(default=None, ge=1)
    """Worker processes; none: one a core."""
