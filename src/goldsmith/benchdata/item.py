"""One question of a benchmark: a context, its replies, and which of them the benchmark calls better."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from goldsmith.identity import ID_LENGTH, context_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """What is asked of a model.

    Attributes:
        benchmark: the benchmark's id.
        subset: the finest official group.
        item_id: unique within the benchmark.
        context: messages with `role` and `content`, the last one of the user.
        replies: contents of the assistant's turns; shape [R].
        good: of each reply, whether it is right or preferred; shape [R].
        comparisons: (better, worse) places among the replies; shape [C, 2]. Empty: no preference.
        is_ordered: the replies stand as the benchmark shows them.
        weight: of the item in its subset's mean.
        source_ref: `file:line`.
        cluster: what intervals are resampled by; empty: the context's id.
        meta: whatever else the benchmark tells of the item (JSON values).
    """

    benchmark: str
    subset: str
    item_id: str
    context: list[dict[str, Any]]
    replies: list[str]
    good: list[bool]
    comparisons: list[tuple[int, int]]
    is_ordered: bool = False
    weight: float = 1.0
    source_ref: str = ""
    cluster: str = ""
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def context_id(self) -> str:
        """The id of the context."""
        return context_id(self.context)

    def text_ids(self, context: str | None = None) -> list[str]:
        """Return the ids of the replies, each with the context; shape [R]. `context` is its id, where it is known already."""
        known = context or self.context_id
        return [text_id(known, reply) for reply in self.replies]


def text_id(context: str, reply: str) -> str:
    """Return the id of a reply to the context with this id: what a score belongs to."""
    return hashlib.sha256(f"{context}\n{reply}".encode("utf-8", "surrogatepass")).hexdigest()[:ID_LENGTH]


def one_turn(prompt: str) -> list[dict[str, Any]]:
    """Return the context of a single user turn."""
    return [{"role": "user", "content": prompt}]


def every_comparison(good: Sequence[bool]) -> list[tuple[int, int]]:
    """Return (better, worse) of every good reply with every other one, row by row."""
    return [(one, other) for one, is_good in enumerate(good) if is_good for other, too in enumerate(good) if not too]
