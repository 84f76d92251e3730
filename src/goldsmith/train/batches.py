"""Training pairs as groups of replies, and which groups make which optimizer step.

Pairs of one context stay together, so that each of its replies is computed once for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from goldsmith.identity import unit_interval
from goldsmith.reward.grouping import Reply
from goldsmith.reward.packing import Group, make_group
from goldsmith.reward.render import Renderer
from goldsmith.types import Content, Pair


@dataclass(frozen=True, slots=True)
class Unit:
    """Pairs of one context that are always in the same step.

    Attributes:
        replies: the distinct replies, each named by the first pair that holds it.
        group: their token ids; `group.rows` are indices into `replies`.
        chosen: for each pair the index of its chosen reply.
        rejected: for each pair the index of its rejected reply.
        weights: pair weights.
        pair_ids: names for messages.
    """

    replies: tuple[Reply, ...]
    group: Group
    chosen: tuple[int, ...]
    rejected: tuple[int, ...]
    weights: tuple[float, ...]
    pair_ids: tuple[str, ...]


def select_pairs(pairs: Sequence[Pair], max_pairs: int | None, seed: int) -> list[Pair]:
    """Return the pairs to train on: no ties, and at most `max_pairs`, in whole contexts drawn by hash; order by pair id within a context.

    The first context is taken even when it alone holds more.
    """
    by_context: dict[str, list[Pair]] = {}
    for pair in pairs:
        if pair.label != "tie":
            by_context.setdefault(pair.context_id, []).append(pair)
    chosen: list[Pair] = []
    for context in sorted(by_context, key=lambda name: (unit_interval(name, seed), name)):
        members = sorted(by_context[context], key=lambda pair: pair.pair_id)
        if max_pairs is not None and chosen and len(chosen) + len(members) > max_pairs:
            continue
        chosen.extend(members)
    return chosen


def make_units(
    pairs: Sequence[Pair], renderer: Renderer, batch_size: int, *, share: bool, weights: Mapping[str, float] | None = None
) -> list[Unit]:
    """Return the units of pairs that have a label; a context of more than `batch_size` pairs becomes several.

    Args:
        pairs: no ties.
        renderer: turns replies into ids.
        batch_size: pairs of a unit at most.
        share: compute the tokens that replies of one context share once.
        weights: weight by pair id, 1 where absent.
    """
    by_context: dict[str, list[Pair]] = {}
    for pair in pairs:
        by_context.setdefault(pair.context_id, []).append(pair)
    units = []
    for members in by_context.values():
        for start in range(0, len(members), batch_size):
            units.append(_unit(members[start : start + batch_size], renderer, share, weights or {}))
    return units


def _unit(pairs: Sequence[Pair], renderer: Renderer, share: bool, weights: Mapping[str, float]) -> Unit:
    replies: list[Reply] = []
    index_of: dict[str, int] = {}

    def index(pair: Pair, content: Content) -> int:
        key = repr(content)
        if key not in index_of:
            index_of[key] = len(replies)
            replies.append(Reply(pair.messages, content, pair.pair_id))
        return index_of[key]

    chosen = tuple(index(pair, pair.chosen) for pair in pairs)
    rejected = tuple(index(pair, pair.rejected) for pair in pairs)
    rendered = [renderer.render(reply.context, reply.content, where=reply.name) for reply in replies]
    return Unit(
        replies=tuple(replies),
        group=make_group(rendered, range(len(replies)), share=share),
        chosen=chosen,
        rejected=rejected,
        weights=tuple(weights.get(pair.pair_id, 1.0) for pair in pairs),
        pair_ids=tuple(pair.pair_id for pair in pairs),
    )


def plan_epoch(sizes: Sequence[int], batch_size: int, epoch: int, seed: int) -> list[list[int]]:
    """Return the steps of one epoch as lists of unit indices: a pure function of its arguments.

    Args:
        sizes: pairs of each unit.
        batch_size: pairs of a step at most, except that a unit is never split.
        epoch: number of the pass, from 0.
        seed: of the order.
    """
    order = sorted(range(len(sizes)), key=lambda unit: (unit_interval(f"{epoch}:{unit}", seed), unit))
    steps: list[list[int]] = []
    pairs = 0
    for unit in order:
        if not steps or pairs + sizes[unit] > batch_size:
            steps.append([])
            pairs = 0
        steps[-1].append(unit)
        pairs += sizes[unit]
    return steps


def split_by_tokens(units: Sequence[Unit], budget: int) -> list[list[int]]:
    """Return a step's units in pieces whose tokens stay within the budget where a unit alone does; positions in `units`."""
    pieces: list[list[int]] = []
    tokens = 0
    for position, unit in enumerate(units):
        if not pieces or tokens + unit.group.tokens > budget:
            pieces.append([])
            tokens = 0
        pieces[-1].append(position)
        tokens += unit.group.tokens
    return pieces
