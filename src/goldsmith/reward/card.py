"""goldsmith.json, the file beside the weights that says how a reward model was made and how its scores are to be read."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from goldsmith.errors import UserError
from goldsmith.store.atomic import write_json

CARD = "goldsmith.json"

_CHOICES = {"pooling": ("last", "as-published"), "truncation_side": ("left", "right")}


def read_card(folder: Path) -> dict[str, Any]:
    """Return goldsmith.json of a model folder, empty when the model was made elsewhere.

    Raises:
        UserError: it is no JSON object, or holds a value that cannot be.
    """
    path = folder / CARD
    if not path.is_file():
        return {}
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"{path}: not valid JSON ({error}); train the model again, or delete this file and pass --max-length"
        ) from None
    if not isinstance(card, dict):
        raise UserError(f"{path}: expected a JSON object, found a {type(card).__name__}; delete this file and pass --max-length")
    _check(path, card)
    return card


def update_card(folder: Path, **facts: Any) -> None:
    """Replace some facts of a model's goldsmith.json, which is made when absent."""
    write_json(folder / CARD, {"schema_version": 1, **read_card(folder), **facts})


def _check(path: Path, card: dict[str, Any]) -> None:
    for key, known in _CHOICES.items():
        if card.get(key, known[0]) not in known:
            raise UserError(f"{path}: {key} is {card[key]!r}; it must be one of {', '.join(known)}")
    length = card.get("max_length")
    if length is not None and (not isinstance(length, int) or isinstance(length, bool) or length < 1):
        raise UserError(f"{path}: max_length is {length!r}; it must be a number of tokens, or absent")
    bias = card.get("head_bias", 0.0)
    if isinstance(bias, bool) or not isinstance(bias, int | float) or not math.isfinite(bias):
        raise UserError(f"{path}: head_bias is {bias!r}; it must be a finite number, or absent")
