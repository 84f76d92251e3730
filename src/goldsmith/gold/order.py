"""The order in which pairs of a batch are handed out: certain answers first, then as they were retrieved, within quotas over tasks."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any


def queue_order(attributes: Sequence[Mapping[str, Any] | None], quotas: Mapping[str, float]) -> list[int]:
    """Return the places of a batch's pairs in the order in which people get them.

    Objective pairs of low controversiality come first, and within both groups the given order stays (spec 4: Human protocol). A task with a quota
    makes up at most that share of every beginning of the list (rounded up); what is above waits, and what no other pair can dilute stands at the end.

    Args:
        attributes: `task`, `objectivity` and `controversiality` of each pair, in the retrieval's order; None where they are unknown.
        quotas: share above 0 and at most 1 by task (`math/proof`) or group of tasks (`math`); the longest name that fits counts.
    """
    by_priority = sorted(range(len(attributes)), key=lambda place: (not _is_certain(attributes[place]), place))
    if not quotas:
        return by_priority
    waiting: dict[str, deque[int]] = {}
    for urgency, place in enumerate(by_priority):
        waiting.setdefault(_quota_of(attributes[place], quotas), deque()).append(urgency)
    taken = dict.fromkeys(waiting, 0)
    order: list[int] = []
    while waiting:
        allowed = [name for name in waiting if not name or taken[name] < quotas[name] * (len(order) + 1)]
        name = min(allowed or waiting, key=lambda name: waiting[name][0])
        order.append(by_priority[waiting[name].popleft()])
        taken[name] += 1
        if not waiting[name]:
            del waiting[name]
    return order


def needed_tag(task: str, expertise: Mapping[str, str]) -> str:
    """Return the tag a person needs for a task; empty when anybody may judge it."""
    name = _longest(task, expertise)
    return expertise[name].strip().lower() if name else ""


def _is_certain(attributes: Mapping[str, Any] | None) -> bool:
    return attributes is not None and attributes.get("objectivity") == "factual" and attributes.get("controversiality") == "low"


def _quota_of(attributes: Mapping[str, Any] | None, quotas: Mapping[str, float]) -> str:
    return _longest(str((attributes or {}).get("task", "")), quotas)


def _longest(task: str, names: Mapping[str, Any]) -> str:
    """The longest of the names that is the task or a group it belongs to; empty when there is none."""
    return max((name for name in names if task == name or task.startswith(f"{name}/")), key=len, default="")
