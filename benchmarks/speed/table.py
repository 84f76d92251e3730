"""Rows of measured against wanted, printed as a table; the last line names what was missed."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """A measured figure with its goal; `at_most` says on which side the goal lies."""

    name: str
    value: float
    goal: float | None = None
    unit: str = ""
    at_most: bool = False
    note: str = ""

    @property
    def missed(self) -> bool:
        return self.goal is not None and (self.value > self.goal if self.at_most else self.value < self.goal)


def show(figures: list[Figure]) -> int:
    """Print the table and return the exit code."""
    width = max(len(figure.name) for figure in figures)
    for figure in figures:
        goal = "" if figure.goal is None else f"{'at most' if figure.at_most else 'at least'} {figure.goal:g}"
        print(
            f"{figure.name:<{width}}  {figure.value:>9.4g} {figure.unit:<9} {goal:<15} {'MISSED' if figure.missed else '':<6} {figure.note}"
        )
    missed = [figure for figure in figures if figure.missed]
    if missed:
        told = "; ".join(f"{figure.name} is {figure.value:.4g}, goal {figure.goal:g}" for figure in missed)
        print(f"FAILED: {told}")
    else:
        print("every goal reached")
    return 1 if missed else 0


def save(path: Path, figures: list[Figure]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    temporary.write_text(json.dumps([asdict(figure) for figure in figures], indent=1), encoding="utf-8")
    temporary.replace(path)


def load(path: Path) -> list[Figure] | None:
    return [Figure(**row) for row in json.loads(path.read_text(encoding="utf-8"))] if path.is_file() else None
