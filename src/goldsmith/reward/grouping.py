"""Replies as the caller names them, and how they are gathered by context so that nothing is computed twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from goldsmith.identity import canonical_json
from goldsmith.reward.packing import Group, make_group
from goldsmith.reward.render import Rendered
from goldsmith.types import Content

Progress = Callable[[int, int, int], None]
"""Called with (replies done, replies in all, tokens computed so far)."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply to a context.

    Attributes:
        context: messages with `role` and `content`.
        content: the reply.
        name: its row in messages, a pair id for instance.
    """

    context: Sequence[Mapping[str, Any]]
    content: Content
    name: str = ""


def group_replies(rendered: Sequence[Rendered], replies: Sequence[Reply], *, share: bool) -> tuple[list[Group], list[int]]:
    """Return groups of distinct conversations by context, and for each reply the row that is computed for it.

    Args:
        rendered: the rendering of each reply.
        replies: in the same order.
        share: compute the tokens that replies of one context share once.
    """
    first: dict[tuple[int, ...], int] = {}
    copies = [first.setdefault(item.ids, row) for row, item in enumerate(rendered)]
    by_context: dict[str, list[int]] = {}
    for row in sorted(set(copies)):
        by_context.setdefault(canonical_json([dict(turn) for turn in replies[row].context]), []).append(row)
    groups = [make_group([rendered[row] for row in rows], rows, share=share) for rows in by_context.values()]
    return groups, copies
