"""Which model servers are asked, and how much may be spent."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from goldsmith.config.base import Section


class EndpointConfig(Section):
    """One model behind an OpenAI-compatible server."""

    name: str
    """How the model is called in tables and reports."""
    kind: Literal["embedded", "openai"] = "openai"
    """`embedded`: the small model that Goldsmith starts itself on loopback; `openai`: any OpenAI-compatible server."""
    base_url: str | None = None
    """Address of the server, as `http://host:port/v1`; unused for the embedded model."""
    model: str | None = None
    """The server's name of the model; none: `name`."""
    api_key_env: str | None = None
    """Name of the environment variable that holds the key. Never the key itself."""
    json_schema: bool = True
    """The server can hold a reply to a JSON schema."""
    prompt_tokens: int | None = Field(default=None, ge=256)
    """Tokens of a judge's prompt at most, about; longer texts are cut in the middle and marked. None: 520 for the embedded model, 6,000 for others."""
    price_prompt_per_million: float = Field(default=0.0, ge=0.0)
    """Price of a million prompt tokens, in the currency of `max_cost`."""
    price_completion_per_million: float = Field(default=0.0, ge=0.0)
    """Price of a million completion tokens."""


class LlmConfig(Section):
    """The group of models, and the budget they share."""

    endpoints: list[EndpointConfig] = Field(default_factory=lambda: [EndpointConfig(name="smollm2-135m", kind="embedded")])
    """Every model that judges; the first also writes attributes."""
    max_calls: int | None = Field(default=None, ge=0)
    """No further call is made once this many were; calls of unknown outcome count."""
    max_tokens: int | None = Field(default=None, ge=0)
    """Token budget over all calls of the workspace."""
    max_cost: float | None = Field(default=None, ge=0.0)
    """Money budget over all calls of the workspace."""
    concurrency: int = Field(default=8, ge=1)
    """Calls in flight at most."""
    timeout_s: float = Field(default=120.0, gt=0)
    """Seconds until a call counts as lost."""
    max_retries: int = Field(default=4, ge=0)
    """Further attempts after a 429, a 5xx or a time-out."""
