"""What came back from models at every stage that asked any: the facts of the steps, in the order of the flow."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

TITLES = {
    "attributes": "attributes",
    "verify": "pre-verification of batch",
    "judges": "test of the judges",
    "silver": "silver of the seed",
    "round": "silver of round",
    "stage2": "stage 2",
}
"""Kinds of stages that ask models, in the order in which a run begins them."""


def reply_rows(facts: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the facts called `replies` of every stage that asked anything, with the stage's title, by where they stand."""
    found = {}
    for stage in sorted(facts, key=_place):
        replies = facts[stage].get("replies")
        if isinstance(replies, dict) and replies.get("total"):
            found[f"facts/{stage}.json, replies"] = {**replies, "stage": _title(stage)}
    return found


def _parts(stage: str) -> tuple[str, int | None]:
    numbered = re.fullmatch(r"([a-z]+)_([0-9]+)", stage)
    return (numbered[1], int(numbered[2])) if numbered else (stage, None)


def _place(stage: str) -> tuple[int, int, int]:
    """A round's batch for people is checked after the round, the seed's before the judges are tested."""
    kind, number = _parts(stage)
    order = list(TITLES)
    place = order.index(kind) if kind in order else len(order)
    if kind == "verify" and number:
        return order.index("round"), number, 1
    return place, number or 0, 0


def _title(stage: str) -> str:
    kind, number = _parts(stage)
    title = TITLES.get(kind, stage)
    return f"{title} {number}" if number is not None and kind in ("verify", "round") else title
