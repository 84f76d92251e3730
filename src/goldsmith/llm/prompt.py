"""Prompt files: versioned text with named holes, filled in one pass so that what fills a hole is never read again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from goldsmith.identity import digest

_HOLE = re.compile(r"\{\{([a-z_]+)\}\}")
_RULE = "\n---\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A prompt file: its version, and its messages (role, text with holes `{{name}}`), the system's first and a user's last."""

    name: str
    version: int
    messages: tuple[tuple[str, str], ...]

    @property
    def digest(self) -> str:
        """SHA-256 of the text: what a verdict's lineage names the prompt by."""
        return digest([self.name, self.version, self.messages])

    def fill(self, values: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        """Return the messages with every hole filled.

        Args:
            values: text by hole; braces and anything else in it stand in the prompt as they are.

        Raises:
            KeyError: the file has a hole that `values` does not fill.
        """
        return tuple((role, _HOLE.sub(lambda hole: values[hole.group(1)], text)) for role, text in self.messages)


@cache
def load_prompt(name: str) -> Prompt:
    """Return a built-in prompt, `prompts/<name>.md`.

    The file holds a `version:` line, then, between `---` lines, the system's text and turns of user, assistant, ..., user:
    what comes between is an example.
    """
    text = resources.files("goldsmith.llm").joinpath("prompts", f"{name}.md").read_text(encoding="utf-8")
    head, system, *turns = text.split(_RULE)
    assert len(turns) % 2 == 1, f"{name}.md must end with a user's turn"
    roles = ["system", *(("user", "assistant")[at % 2] for at in range(len(turns)))]
    messages = tuple((role, part.strip()) for role, part in zip(roles, [system, *turns], strict=True))
    return Prompt(name=name, version=int(head.removeprefix("version:")), messages=messages)
