"""The tool box of the annotation room: each tool is off until it is configured."""

from __future__ import annotations

from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from goldsmith.config.base import Section
from goldsmith.config.llm import EndpointConfig
from goldsmith.config.sandbox import SandboxConfig


class SearchToolConfig(Section):
    """Web search through a SearXNG server of yours, whose JSON output must be switched on (`search.formats` in its settings)."""

    url: str = ""
    """Address of the server (`http://localhost:8888`); empty: no web search."""
    timeout_s: float = Field(default=10.0, gt=0, le=120)
    """Seconds for a whole answer."""
    results: int = Field(default=8, ge=1, le=50)
    """Results shown at most."""

    @field_validator("url")
    @classmethod
    def _address(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or parts.query):
            raise ValueError("give the address alone, as http://localhost:8888: no user, password or query")
        return value.rstrip("/")


class DocumentsToolConfig(Section):
    """Search in documents of your own; `goldsmith annotate docs add` fills the index."""

    on: bool = False
    """Whether people can search them."""
    results: int = Field(default=8, ge=1, le=50)
    """Passages shown at most."""


class SpecialistConfig(EndpointConfig):
    """One model that people may ask about a pair."""

    about: str = ""
    """What it knows best, in a few words that people see beside its name."""
    max_reply_tokens: int = Field(default=1000, ge=16)
    """Tokens of an answer at most."""

    @model_validator(mode="after")
    def _is_a_server(self) -> Self:
        if self.kind != "openai" or not self.base_url:
            raise ValueError(f"annotate.tools.specialists '{self.name}' needs base_url, the address of a server that is running")
        return self


class SpecialistsToolConfig(Section):
    """Models that answer questions about a pair, and the budget that all questions share; apart from the budget of `llm`."""

    endpoints: list[SpecialistConfig] = Field(default_factory=list)
    """The models; none: the tool is off."""
    max_calls: int | None = Field(default=None, ge=0)
    """Questions in all; none: no limit."""
    max_tokens: int | None = Field(default=None, ge=0)
    """Tokens in all."""
    max_cost: float | None = Field(default=None, ge=0.0)
    """Money in all, by the prices of the endpoints."""
    timeout_s: float = Field(default=60.0, gt=0, le=150)
    """Seconds for one answer."""

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [endpoint.name for endpoint in self.endpoints]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise ValueError(
                f"annotate.tools.specialists: the name '{twice[0]}' occurs twice; people tell the models apart by it"
            )
        return self


class CodeToolConfig(Section):
    """Running code of a reply, as it is or changed, in the sandbox; `goldsmith sandbox check` says whether this machine has one."""

    on: bool = False
    """Whether people can run code."""
    sandbox: SandboxConfig | None = None
    """Limits of its own; none: those of `[sandbox]`."""


class ToolsConfig(Section):
    """What stands beside a pair on the screen."""

    at_once: int = Field(default=8, ge=1, le=64)
    """Questions to tools that are worked on at once; others wait their turn, and pages never wait for them."""
    uses_per_pair: int = Field(default=100, ge=1)
    """Questions of one person about one pair, all tools together."""
    search: SearchToolConfig = SearchToolConfig()
    documents: DocumentsToolConfig = DocumentsToolConfig()
    specialists: SpecialistsToolConfig = SpecialistsToolConfig()
    code: CodeToolConfig = CodeToolConfig()
