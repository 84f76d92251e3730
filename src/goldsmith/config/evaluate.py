"""What the final models are measured on, and what `goldsmith eval` evaluates."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from goldsmith.config.base import Section


class EvalSetConfig(Section):
    """One set of labelled pairs, in any format `pool add` reads."""

    name: str
    """How the set is called in the report."""
    path: str
    """File or hub id; `$GOLDSMITH_DATA` stands for the evaluation data's folder."""
    limit: int | None = Field(default=None, ge=1)
    """At most this many pairs, whole contexts, drawn by hash."""


class EvalModelConfig(Section):
    """One model for `goldsmith eval`."""

    model: str
    """A folder or hub id; `random`, `oracle`, `constant` or `longer`; `scores:FILE`; `judge:NAME`, an `llm.endpoints` entry; or `DIALECT:URL`."""
    name: str = ""
    """Label in reports; empty: made from `model`."""
    max_length: int | None = Field(default=None, ge=16)
    """Tokens of a conversation at most, for a checkpoint; none: the smaller of 16,384 and the model's own maximum."""
    truncation_side: Literal["left", "right"] | None = None
    """The end of a longer conversation that is cut; none: what the model was made with (left)."""
    pooling: Literal["as-published"] | None = None
    """Load a checkpoint whose authors pooled elsewhere, and record it."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Arithmetic of a checkpoint's trunk."""
    served_model: str | None = None
    """A server's name of the model."""
    api_key_env: str | None = None
    """Environment variable that holds a server's key."""
    tokenizer: str | None = None
    """Folder or hub id whose chat template renders conversations, for dialects that take text."""
    batch: int = Field(default=16, ge=1)
    """Texts of one request to a server."""
    concurrency: int = Field(default=8, ge=1)
    """Requests in flight."""
    timeout_s: float = Field(default=120.0, gt=0)
    """Seconds for one request."""
    max_retries: int = Field(default=4, ge=0)
    """Further attempts after a 429, a 5xx, a time-out or a lost connection."""
    give_up_s: float = Field(default=300.0, gt=0)
    """Seconds for one request with its further attempts and the pauses between them; never less than `timeout_s`."""
    silence_s: float = Field(default=150.0, gt=0)
    """A server that fails and answers nothing at all for so many seconds is given up, what came is kept; never less than `timeout_s`."""


class EvaluateConfig(Section):
    """Held-out sets and the raw-trained rival; benchmarks and models of `goldsmith eval`."""

    sets: list[EvalSetConfig] = Field(default_factory=list)
    """Their contexts leave the pool, and never enter training."""
    holdout_contexts: int = Field(default=0, ge=0)
    """This many contexts of the pool, drawn by hash before any noise is added, become the set `held-out`."""
    holdout_pairs: int = Field(default=600, ge=1)
    """Pairs of those contexts that are scored at most."""
    compare_raw: Literal["none", "head", "same"] = "head"
    """Rival trained on the raw pool by the same recipe: none, by the head method (with a curated twin), or by the final method too."""
    bootstrap: int = Field(default=2000, ge=100)
    """Resamples of the intervals, clustered by prompt."""
    suite: str | None = None
    """Folder in which `goldsmith eval` finds benchmarks in their official layouts; `$GOLDSMITH_DATA` stands for the evaluation data's folder."""
    benchmarks: list[str] = Field(default_factory=list)
    """Benchmarks named one by one: NAME=PATH, or a NAME alone, from the hub."""
    models: list[EvalModelConfig] = Field(default_factory=list)
    """Models for `goldsmith eval`, beside those on the command line."""
