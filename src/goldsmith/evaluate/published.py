"""The paper's own figures, as rows to hold measured ones against; they are marked as published wherever they are shown."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One row of the paper's table, as fractions."""

    name: str
    scores: dict[str, float]
    """Benchmark id to score."""
    average: float


@lru_cache(maxsize=1)
def published() -> tuple[Published, ...]:
    """Return the rows of the table."""
    stored = _stored()
    return tuple(
        Published(
            name=row["name"],
            scores={name: value / 100.0 for name, value in zip(stored["benchmarks"], row["scores"], strict=True)},
            average=row["average"] / 100.0,
        )
        for row in stored["models"]
    )


def published_source() -> str:
    """Return where the rows were published."""
    return str(_stored()["source"])


def _stored() -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / "published.toml").read_text(encoding="utf-8"))
