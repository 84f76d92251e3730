"""Which model servers are asked, and how much may be spent."""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from goldsmith.config.base import Section

HIDDEN_VALUE = "hidden_value"
"""The type of an error whose message must not quote the value: it may hold a secret."""
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,63}")


class EndpointConfig(Section):
    """One model behind an OpenAI-compatible server."""

    name: str
    """How the model is called in tables and reports."""
    kind: Literal["embedded", "openai"] = "openai"
    """`embedded`: the small model that Goldsmith starts itself on loopback; `openai`: any OpenAI-compatible server."""
    base_url: str | None = None
    """Address of the server, as `http://host:port/v1`, without user, password or query; unused for the embedded model."""
    model: str | None = None
    """The server's name of the model; none: `name`."""
    api_key_env: str | None = None
    """Name of the environment variable that holds the key, in capitals, digits and underscores. Never the key itself."""
    json_schema: bool = True
    """Ask the server to hold replies to a JSON schema; one that refuses is asked again without."""
    prompt_tokens: int | None = Field(default=None, ge=256)
    """Tokens of a judge's prompt at most, about; longer texts are cut in the middle and marked. None: 520 for the embedded model, 6,000 for others."""
    price_prompt_per_million: float = Field(default=0.0, ge=0.0)
    """Price of a million prompt tokens, in the currency of `max_cost`."""
    price_completion_per_million: float = Field(default=0.0, ge=0.0)
    """Price of a million completion tokens."""

    @field_validator("base_url")
    @classmethod
    def _address_alone(cls, value: str | None) -> str | None:
        """Whatever stands in an address goes into errors and run records, so no secret may stand there."""
        try:
            parts = urlsplit(value or "http://unused")
            is_fine = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            is_fine = False
        if not is_fine or "@" in parts.netloc or parts.query or parts.fragment:
            raise PydanticCustomError(
                HIDDEN_VALUE,
                "give the address alone, as http://host:port/v1: no user, password or query; a key goes into the environment "
                "variable that api_key_env names",
            )
        return value

    @field_validator("api_key_env")
    @classmethod
    def _name_of_a_variable(cls, value: str | None) -> str | None:
        if value is not None and not _VARIABLE.fullmatch(value):
            raise PydanticCustomError(
                HIDDEN_VALUE,
                "give the name of an environment variable (capitals, digits, underscores), never the key itself; "
                "`export MY_KEY=...` and api_key_env = 'MY_KEY'",
            )
        return value


class LlmConfig(Section):
    """The group of models, and the budget they share."""

    endpoints: list[EndpointConfig] = Field(default_factory=lambda: [EndpointConfig(name="smollm2-135m", kind="embedded")])
    """Every model that judges; the first also writes attributes."""
    max_calls: int | None = Field(default=None, ge=0)
    """No further call is made once this many were; rejected calls and those of unknown outcome count."""
    max_tokens: int | None = Field(default=None, ge=0)
    """Token budget over all calls of the workspace. A call that could exceed it (a token for each byte of the prompt, the longest reply) is not made."""
    max_cost: float | None = Field(default=None, ge=0.0)
    """Money budget over all calls of the workspace, held like `max_tokens`."""
    concurrency: int = Field(default=64, ge=1)
    """Calls in flight at most, for each endpoint. A server begins with 8 and gets more while it answers quickly, fewer when it slows down or refuses."""
    timeout_s: float = Field(default=120.0, gt=0)
    """Seconds from the beginning of a call to the last byte of its answer; then it counts as lost. The embedded model gets five times as many."""
    max_retries: int = Field(default=4, ge=0)
    """Further attempts after a 429, a 5xx, a time-out or a closed connection."""
