"""The bases of all wire types, and the shapes that several dialects share."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

Score = FiniteFloat
"""A reward on the wire; never NaN, never infinite, never null."""
Probability = Annotated[FiniteFloat, Field(ge=0.0, le=1.0)]
"""From 0 to 1."""


class Body(BaseModel):
    """A request of our own API: a field it does not know is an error, as a misspelt one would change a score in silence."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ForeignBody(BaseModel):
    """A request of somebody else's dialect. Fields it does not know are kept apart, and the reply's headers name them."""

    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=())

    without_effect: ClassVar[frozenset[str]] = frozenset()
    """Fields that the dialect has and this server takes no notice of, though who sends them may count on them."""

    @property
    def unknown(self) -> list[str]:
        """Names of the fields that have no effect here."""
        return sorted({*(self.model_extra or {}), *(self.without_effect & self.model_fields_set)})

    @property
    def body(self) -> dict[str, Any]:
        """What a client sends: the fields that were set, and no other."""
        return self.model_dump(exclude_unset=True)


class Reply(BaseModel):
    """A reply. Readers accept fields they do not know, as other servers add some."""

    model_config = ConfigDict(extra="ignore", frozen=True, protected_namespaces=())


class Turn(BaseModel):
    """One message of a conversation; what it holds besides is the chat template's to read."""

    model_config = ConfigDict(extra="allow", frozen=True)

    role: Annotated[str, Field(min_length=1, examples=["user"])]
    content: str | list[dict[str, Any]] | None = None

    @property
    def plain(self) -> dict[str, Any]:
        """The message as a dict, without what was not given."""
        return self.model_dump(exclude_unset=True)


class Usage(Reply):
    """Tokens of a request; a reward model completes none."""

    prompt_tokens: int = 0
    total_tokens: int = 0
    completion_tokens: int | None = 0
    prompt_tokens_details: dict[str, Any] | None = None

    @classmethod
    def of(cls, tokens: int) -> Usage:
        """Return the usage of so many tokens read."""
        return cls(prompt_tokens=tokens, total_tokens=tokens)
