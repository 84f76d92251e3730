"""What a model was made from, as its files tell: the model card's front matter, goldsmith.json, config.json.

A card is written by people and may be silent or wrong; what it says is shown as what the card says.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goldsmith.reward.card import CARD

_MOST_BYTES = 1_000_000
"""A card longer than this is not read."""
_MOST_NAMES = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """What a model was trained from and on; empty where nothing says so."""

    base_model: str = ""
    training_data: tuple[str, ...] = ()


def lineage(folder: Path) -> Lineage:
    """Return what the files of a model folder say; a broken or absent card says nothing."""
    front, own, config = _front_matter(folder / "README.md"), _json(folder / CARD), _json(folder / "config.json")
    bases = _names(front.get("base_model")) or _names(own.get("base")) or _names(config.get("_name_or_path"))
    # A model trained by Goldsmith has no name for its data but their digest, which two models on the same data share.
    data = _names(front.get("datasets")) or tuple(f"data digest {name[:12]}" for name in _names(own.get("data_digest")))
    return Lineage(base_model=", ".join(bases), training_data=data)


def _front_matter(path: Path) -> dict[str, Any]:
    """Return the YAML between the first two `---` lines of a model card."""
    text = _text(path)
    if not text.startswith("---"):
        return {}
    import yaml

    try:
        found = yaml.safe_load(text.split("\n---", 1)[0].removeprefix("---"))
    except (yaml.YAMLError, RecursionError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(_text(path) or "{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8") if path.stat().st_size <= _MOST_BYTES else ""
    except (OSError, UnicodeDecodeError):
        return ""


def _names(value: Any) -> tuple[str, ...]:
    """Return names from a text or a list of texts; anything else is none."""
    values = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return tuple(name.strip()[:200] for name in values[:_MOST_NAMES] if isinstance(name, str) and name.strip())
