"""Reads the task taxonomy, the built-in one or a user's file, and checks it."""

from __future__ import annotations

import re
import tomllib
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

from goldsmith.errors import UserError
from goldsmith.identity import digest

Objectivity = Literal["factual", "opinion", "open-ended"]
Controversiality = Literal["low", "medium", "high"]
OBJECTIVITIES: tuple[Objectivity, ...] = ("factual", "opinion", "open-ended")
CONTROVERSIALITIES: tuple[Controversiality, ...] = ("low", "medium", "high")

Line = Annotated[str, StringConstraints(min_length=1, max_length=300, pattern=r"^[^\n]+$")]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Group(_Entry):
    """A group of leaves."""

    id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+$")]
    en: Line
    zh: Line


class Leaf(_Entry):
    """One kind of task; objectivity and controversiality are what its pairs usually have."""

    id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+/[a-z0-9-]+$")]
    en: Line
    zh: Line
    definition: Line
    objectivity: Objectivity
    controversiality: Controversiality
    phrasings: list[Line] = Field(default_factory=list)
    cues: list[Annotated[str, StringConstraints(min_length=1, max_length=600)]] = Field(default_factory=list)
    bias: float = Field(0.0, ge=-1.0, le=1.0)

    @field_validator("cues")
    @classmethod
    def _compile(cls, cues: list[str]) -> list[str]:
        for cue in cues:
            try:
                re.compile(cue)
            except re.error as error:
                raise ValueError(f"'{cue}' is no regular expression: {error}") from None
        return cues

    @property
    def group(self) -> str:
        """The id of the leaf's group."""
        return self.id.partition("/")[0]


class Taxonomy(_Entry):
    """Groups and leaves, in the file's order."""

    schema_version: Literal[1]
    group: list[Group] = Field(min_length=1)
    leaf: list[Leaf] = Field(min_length=2)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        groups = [group.id for group in self.group]
        leaves = [leaf.id for leaf in self.leaf]
        for kind, ids in (("group", groups), ("leaf", leaves)):
            twice = sorted({name for name in ids if ids.count(name) > 1})
            if twice:
                raise ValueError(f"{kind} id '{twice[0]}' occurs twice; ids name exactly one {kind}")
        for leaf in self.leaf:
            if leaf.group not in groups:
                raise ValueError(f"leaf '{leaf.id}' belongs to group '{leaf.group}', which has no [[group]] entry")
        return self

    @cached_property
    def by_id(self) -> dict[str, Leaf]:
        """Leaves by id."""
        return {leaf.id: leaf for leaf in self.leaf}

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the content: what a manifest names the taxonomy by."""
        return digest(self.model_dump())

    def resolve(self, text: str) -> str | None:
        """Return the id of the leaf that `text` names: its id, its last part, or its name in either language; else None."""
        wanted = _fold(text)
        for leaf in self.leaf:
            if wanted in (_fold(leaf.id), _fold(leaf.en), _fold(leaf.zh), _fold(leaf.id.partition("/")[2])):
                return leaf.id
        return None


def load_taxonomy(path: Path | None = None) -> Taxonomy:
    """Return the taxonomy of a file; None: the built-in one.

    Raises:
        UserError: the file is missing, no TOML, or breaks a rule; the message names file and key.
    """
    name = str(path) if path else "built-in taxonomy"
    try:
        text = path.read_text(encoding="utf-8") if path else _built_in()
        return Taxonomy.model_validate(tomllib.loads(text))
    except FileNotFoundError:
        raise UserError(f"attributes.taxonomy = {name}: no such file; leave the key out to use the built-in taxonomy") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{name}: not valid TOML: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "file"
        raise UserError(f"{name}: {where}: {first['msg']} (found {str(first['input'])[:80]!r})") from None


def _built_in() -> str:
    return resources.files("goldsmith.attributes").joinpath("taxonomy.toml").read_text(encoding="utf-8")


def _fold(text: str) -> str:
    return re.sub(r"[\s_-]+", "-", text.strip().casefold())
