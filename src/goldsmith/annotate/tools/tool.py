"""What a tool is: a name, a key, a router, and what its panel is told; and the two ways in which a question to it ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import APIRouter

from goldsmith.config.tools import ToolsConfig
from goldsmith.gold.leases import Lease, Material


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One tool.

    Attributes:
        name: in addresses, tables and messages (`tool.<name>`); its script is `static/tools/<name>.js`.
        key: the key that opens it and takes the selected words; a single capital letter that nothing else on the screen has.
        router: its calls; they go through `use`.
        settings: what its panel is told, by the rules of the room; None: it is off.
    """

    name: str
    key: str
    router: APIRouter
    settings: Callable[[ToolsConfig], dict[str, Any] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What a tool works with: a pair that the person who asks holds now.

    Attributes:
        lease: whose, and in which order the replies are shown.
        material: texts and attributes of the pair; its `checks` may still be hidden from the person.
        rules: of the tool box.
        folder: where the room keeps files beside its database.
    """

    lease: Lease
    material: Material
    rules: ToolsConfig
    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a tool found.

    Attributes:
        shown: JSON for the panel; texts in it are shown as text, but for what its script says is HTML of the sanitiser.
        told: the same in a few words, for the record.
        flag: what a lead should see, in one word.
    """

    shown: dict[str, Any]
    told: str
    flag: str | None = None


class ToolFailure(Exception):
    """A tool that could not answer; `kind` is a word that both languages have a sentence for, `js.tools.failure.<kind>`."""

    def __init__(self, kind: str, detail: str = "", flag: str | None = None) -> None:
        super().__init__(detail or kind)
        self.kind = kind
        self.detail = detail
        self.flag = flag
