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
    """A prompt file: its version, and the system and user messages with holes `{{name}}`."""

    name: str
    version: int
    system: str
    user: str

    @property
    def digest(self) -> str:
        """SHA-256 of the text: what a verdict's lineage names the prompt by."""
        return digest([self.name, self.version, self.system, self.user])

    def fill(self, values: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        """Return the messages with every hole filled.

        Args:
            values: text by hole; braces and anything else in it stand in the prompt as they are.

        Raises:
            KeyError: the file has a hole that `values` does not fill.
        """
        return (("system", self._fill(self.system, values)), ("user", self._fill(self.user, values)))

    @staticmethod
    def _fill(text: str, values: Mapping[str, str]) -> str:
        return _HOLE.sub(lambda hole: values[hole.group(1)], text)


@cache
def load_prompt(name: str) -> Prompt:
    """Return a built-in prompt, `prompts/<name>.md`: a `version:` line, then system and user text between `---` lines."""
    text = resources.files("goldsmith.llm").joinpath("prompts", f"{name}.md").read_text(encoding="utf-8")
    head, system, user = text.split(_RULE, 2)
    return Prompt(name=name, version=int(head.removeprefix("version:")), system=system.strip(), user=user.strip())
