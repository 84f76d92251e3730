"""What is asked of a model and what came of it; pure values, no network."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from goldsmith.identity import digest

FailureKind = Literal["timeout", "rate-limited", "server-error", "refused", "connection-lost", "bad-response", "budget"]

SCHEMA_NAME = "reply"
BYTES_PER_TOKEN = 3
"""UTF-8 bytes of a token, on the low side for most texts. No token has less than one byte."""
TOKENS_PER_MESSAGE = 8
"""What a chat template adds to a message, about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One question to one model; two requests with equal fields (but `purpose`) are the same question.

    Attributes:
        endpoint: `llm.endpoints` name of the model.
        messages: role and content of each message.
        max_tokens: tokens of the reply at most.
        temperature: 0 is greedy.
        seed: the sampler's seed; several samples of one question differ by it.
        schema: JSON schema of the reply, sent where the server takes one.
        purpose: what it is for, in the ledger.
    """

    endpoint: str
    messages: tuple[tuple[str, str], ...]
    max_tokens: int
    temperature: float = 0.0
    seed: int | None = None
    schema: dict[str, Any] | None = None
    purpose: str = ""

    def body(self, model: str, *, json_schema: bool) -> dict[str, Any]:
        """Return the JSON body of the call.

        Args:
            model: the server's name of the model.
            json_schema: the server can hold a reply to a schema.
        """
        body: dict[str, Any] = {
            "model": model,
            # No UTF-8 can carry a lone surrogate: what is sent, and hashed, is what a server can read.
            "messages": [{"role": role, "content": _sendable(content)} for role, content in self.messages],
            "max_tokens": self.max_tokens,
            "temperature": self.temperature,
        }
        if self.seed is not None:
            body["seed"] = self.seed
        if self.schema is not None and json_schema:
            schema = {"name": SCHEMA_NAME, "schema": self.schema, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        return body

    @property
    def prompt_tokens_estimate(self) -> int:
        """An estimate of the prompt's length in tokens, on the high side for most texts."""
        return self._bytes // BYTES_PER_TOKEN + TOKENS_PER_MESSAGE * len(self.messages) + 1

    @property
    def most_prompt_tokens(self) -> int:
        """The prompt's tokens at most: one a byte, the schema's too, as some servers put it into the prompt."""
        schema = len(json.dumps(self.schema)) if self.schema is not None else 0
        return self._bytes + schema + TOKENS_PER_MESSAGE * len(self.messages) + 1

    @property
    def _bytes(self) -> int:
        return sum(len(content.encode("utf-8", "replace")) for _, content in self.messages)


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """A reply that arrived; `finish_reason` `length` means that `max_tokens` cut it."""

    text: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    cached: bool = False

    @property
    def usage(self) -> dict[str, int]:
        """Token counts as a verdict stores them."""
        return {"prompt_tokens": self.prompt_tokens, "completion_tokens": self.completion_tokens}


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A question that has no answer, and why; never a score, never a choice."""

    kind: FailureKind
    detail: str
    cached: bool = False


def request_key(address: str, body: dict[str, Any]) -> str:
    """Return the digest of the full request: where it goes and everything that is sent."""
    return digest([address, body])


def _sendable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")
