"""Recipes: the published settings of the eight Skywork-Reward-V2 models, as a layer below the user's own configuration.

A recipe file holds settings of every run in ordinary sections, and what differs between the authors' development runs and
their final run under `[development]` and `[final]`. `NAME` means the final run, `NAME/development` the other.
"""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from goldsmith.config.load import merge
from goldsmith.errors import UserError

STAGES = ("final", "development")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Settings under a name.

    Attributes:
        name: as the user writes it, `qwen3-0.6b` or `qwen3-0.6b/development`.
        stage: `final` or `development`.
        summary: one line.
        pairs: number of pairs the published model was trained on.
        settings: sections of the configuration, as nested dicts, for several processes.
    """

    name: str
    stage: str
    summary: str
    pairs: int
    settings: dict[str, Any]

    def settings_for(self, processes: int) -> dict[str, Any]:
        """Return the settings for so many processes: one alone has nothing to shard, and trains the same model."""
        if processes > 1:
            return self.settings
        train = {key: value for key, value in self.settings["train"].items() if key != "sharding"}
        return {**self.settings, "train": train}


def recipe_names() -> list[str]:
    """Return the names of the family's members, smallest first within an architecture."""
    return sorted((path.name.removesuffix(".toml") for path in _folder().iterdir() if path.name.endswith(".toml")), key=_by_size)


def read_recipe(name: str) -> Recipe:
    """Return the recipe of a name.

    Raises:
        UserError: there is no such recipe or stage; the message holds the closest name.
    """
    member, slash, stage = name.partition("/")
    _check(member, recipe_names(), name)
    if slash:
        _check(stage, list(STAGES), name)
    chosen = stage or STAGES[0]
    content = tomllib.loads((_folder() / f"{member}.toml").read_text(encoding="utf-8"))
    facts = content.pop("recipe")
    variants = {each: content.pop(each) for each in STAGES}
    merge(content, variants[chosen])
    return Recipe(name=name, stage=chosen, summary=facts["summary"], pairs=facts["pairs"], settings=content)


def _folder() -> Any:
    return files("goldsmith.config") / "recipes"


def _by_size(name: str) -> tuple[str, float, str]:
    family, _, size = name.removesuffix("-40m").rpartition("-")
    return family.partition("-")[0], float(size.removesuffix("b")), name


def _check(part: str, known: list[str], name: str) -> None:
    if part in known:
        return
    close = difflib.get_close_matches(part.lower(), known, n=1)
    hint = f"did you mean {name.replace(part, close[0])!r}?" if close else f"known here: {', '.join(known)}."
    raise UserError(f"--recipe {name}: there is no '{part}'; {hint}\n  `goldsmith train --recipe list` shows them all")
