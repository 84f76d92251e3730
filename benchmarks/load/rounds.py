"""Rounds in which every contender is measured once; those that are done are kept, so that a killed call goes on with the next."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from statistics import median

Round = dict[str, float]
"""What one round measured, by contender."""


async def rounds(path: Path | None, count: int, measure: Callable[[], Awaitable[Round]]) -> list[Round]:
    """Return so many rounds: those of the file first, then new ones, each written as soon as it is there; no file: all new."""
    found: list[Round] = json.loads(path.read_text(encoding="utf-8")) if path is not None and path.is_file() else []
    while len(found) < count:
        found.append(await measure())
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_suffix(".part")
            temporary.write_text(json.dumps(found), encoding="utf-8")
            temporary.replace(path)
    return found[:count]


def middle(found: Sequence[Round], name: str) -> float:
    """Return a contender's median."""
    return median(one[name] for one in found)


def ratio(found: Sequence[Round], upper: str, lower: str) -> float:
    """Return the median over rounds of one contender's value divided by another's of the same round."""
    return median(one[upper] / one[lower] for one in found)
