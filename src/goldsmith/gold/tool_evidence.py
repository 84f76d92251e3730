"""What tools are worth: how often people are right on hidden checks with and without each tool, by task, and what that costs in time.

People reach for a tool where a pair is hard and when they feel like it: a difference here is an observation, no experiment, and the page says so.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import sqlalchemy as sa

from goldsmith.gold.schema import CHECK_ITEMS, TOOL_USES, VOTES

Z_95 = 1.959964
ALL_TASKS = ""
"""The row over all tasks."""


@dataclass(slots=True)
class _Arm:
    """Checks of one kind: with a tool, or without it."""

    right: int = 0
    seconds: list[float] = field(default_factory=list)

    def add(self, is_right: bool, seconds: float) -> None:
        self.right += is_right
        self.seconds.append(seconds)

    def row(self) -> dict[str, Any]:
        low, high = wilson(self.right, len(self.seconds))
        share = self.right / len(self.seconds) if self.seconds else None
        return {
            "checks": len(self.seconds),
            "right": self.right,
            "accuracy": share,
            "low": low,
            "high": high,
            "median_seconds": median(self.seconds) if self.seconds else None,
        }


def tool_evidence(connection: sa.Connection) -> list[dict[str, Any]]:
    """Return a row for each tool that was ever used, over all tasks (`task` empty) first, then for each task category.

    Each row has `tool`, `task`, `votes` (all votes that used it), `uses`, `failed`, `flagged`, `tool_seconds` (median of one use), the arms `with` and
    `without` (`checks`, `right`, `accuracy`, `low`, `high`: Wilson's 95 % interval, `median_seconds` on the pair), and `difference`, `difference_low`,
    `difference_high` (with minus without; Newcombe's hybrid score interval, 1998, method 10). A failed use counts as none.
    """
    used, totals = _uses(connection)
    arms: dict[tuple[str, str], dict[str, _Arm]] = defaultdict(lambda: {"with": _Arm(), "without": _Arm()})
    for vote_id, task, is_right, seconds in _checks(connection):
        for tool in totals:
            kind = "with" if tool in used.get(vote_id, ()) else "without"
            for name in (ALL_TASKS, task) if task else (ALL_TASKS,):
                arms[tool, name][kind].add(is_right, seconds)
    rows = []
    for tool in sorted(totals):
        tasks = sorted(name for of, name in arms if of == tool and name)
        rows += [_row(tool, name, arms[tool, name], totals[tool]) for name in (ALL_TASKS, *tasks)]
    return rows


def wilson(right: int, total: int, z: float = Z_95) -> tuple[float | None, float | None]:
    """Return Wilson's interval of a share; none without any trial."""
    if not total:
        return None, None
    share, more = right / total, z * z / total
    middle, width = share + more / 2, z * math.sqrt(share * (1 - share) / total + more / (4 * total))
    return max(0.0, (middle - width) / (1 + more)), min(1.0, (middle + width) / (1 + more))


def newcombe(one: tuple[int, int], other: tuple[int, int]) -> tuple[float | None, float | None, float | None]:
    """Return the difference of two independent shares, (right, total) each, with its 95 % interval (Newcombe 1998, method 10)."""
    if not one[1] or not other[1]:
        return None, None, None
    first, second = one[0] / one[1], other[0] / other[1]
    (low_1, high_1), (low_2, high_2) = wilson(*one), wilson(*other)
    assert low_1 is not None
    assert high_1 is not None
    assert low_2 is not None
    assert high_2 is not None
    gap = first - second
    return gap, gap - math.hypot(first - low_1, high_2 - second), gap + math.hypot(high_1 - first, second - low_2)


def _row(tool: str, task: str, arms: dict[str, _Arm], total: dict[str, Any]) -> dict[str, Any]:
    both = {kind: arm.row() for kind, arm in arms.items()}
    gap, low, high = newcombe(*((both[kind]["right"], both[kind]["checks"]) for kind in ("with", "without")))
    names = ("votes", "uses", "failed", "flagged", "tool_seconds")
    counts = {name: total[name] if task == ALL_TASKS else None for name in names}
    return {"tool": tool, "task": task, **counts, **both, "difference": gap, "difference_low": low, "difference_high": high}


def _uses(connection: sa.Connection) -> tuple[dict[str, set[str]], dict[str, dict[str, Any]]]:
    """The tools that answered before each vote, and what is counted of each tool."""
    columns = (TOOL_USES.c.vote_id, TOOL_USES.c.tool, TOOL_USES.c.failure, TOOL_USES.c.flag, TOOL_USES.c.seconds)
    used: dict[str, set[str]] = defaultdict(set)
    by_tool: dict[str, list[Any]] = defaultdict(list)
    for row in connection.execute(sa.select(*columns)):
        by_tool[row.tool].append(row)
        if row.vote_id is not None and row.failure is None:
            used[row.vote_id].add(row.tool)
    return used, {tool: _total(tool, rows, used) for tool, rows in by_tool.items()}


def _total(tool: str, rows: Sequence[Any], used: dict[str, set[str]]) -> dict[str, Any]:
    return {
        "votes": sum(tool in tools for tools in used.values()),
        "uses": len(rows),
        "failed": sum(row.failure is not None for row in rows),
        "flagged": sum(row.flag is not None for row in rows),
        "tool_seconds": median(row.seconds for row in rows),
    }


def _checks(connection: sa.Connection) -> list[tuple[str, str, bool, float]]:
    """Every answer to a hidden check: its vote, the category of its task (`math` of `math/proof`), whether it is right, and the seconds it took."""
    query = (
        sa.select(VOTES.c.vote_id, VOTES.c.choice, VOTES.c.seconds, CHECK_ITEMS.c.label, CHECK_ITEMS.c.attributes)
        .join(CHECK_ITEMS, CHECK_ITEMS.c.pair_id == VOTES.c.pair_id)
        .where(VOTES.c.round == "check", VOTES.c.withdrawn_at.is_(None))
    )
    return [
        (row.vote_id, _category(row.attributes), row.choice == row.label, row.seconds or 0.0) for row in connection.execute(query)
    ]


def _category(attributes: str | None) -> str:
    task = (json.loads(attributes) if attributes else {}).get("task")
    return str(task or "").partition("/")[0]
