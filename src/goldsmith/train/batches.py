"""Training pairs and ranked lists as groups of replies, and which groups make which optimizer step.

Pairs of one context stay together, so that each of its replies is computed once for all of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from goldsmith.identity import unit_interval
from goldsmith.pool.sources.lists import RankedList
from goldsmith.reward.grouping import Reply
from goldsmith.reward.packing import Group, make_group
from goldsmith.reward.render import Renderer
from goldsmith.train.loss import num_stages
from goldsmith.types import Content, Pair


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """What is known of pairs beyond who wins.

    Attributes:
        weights: weight by pair or list id, 1 where absent.
        p_first: probability that `first` is the better reply, by pair id; where absent the label is certain. Where people correct the
            head it is evidence on that (`reward.marginal`).
        p_trusted: what the source says that people agree with most, likewise; it is learnt in place of `p_first` where both are there.
        margin_scale: logits by which the chosen reply must win for each unit of the pair's strength; 0: no margins.
    """

    weights: Mapping[str, float] = field(default_factory=dict)
    p_first: Mapping[str, float] = field(default_factory=dict)
    p_trusted: Mapping[str, float] = field(default_factory=dict)
    margin_scale: float = 0.0

    def weight(self, name: str) -> float:
        """Return the weight of a pair or list."""
        return self.weights.get(name, 1.0)

    def margin(self, pair: Pair) -> float:
        """Return by how many logits the chosen reply must win."""
        return self.margin_scale * (pair.strength or 0.0)

    def target(self, pair: Pair) -> float:
        """Return the probability to learn that the chosen reply is the better one."""
        return _of_chosen(self.p_trusted.get(pair.pair_id, self.p_first.get(pair.pair_id)), pair)

    def evidence(self, pair: Pair) -> float:
        """Return the evidence that the chosen reply is the better one, in [0, 1]."""
        return _of_chosen(self.p_first.get(pair.pair_id), pair)


def _of_chosen(p_first: float | None, pair: Pair) -> float:
    if p_first is None:
        return 1.0
    return p_first if pair.label == "first" else 1.0 - p_first


@dataclass(frozen=True, slots=True)
class Unit:
    """Pairs of one context, or one ranked list, always in the same step.

    Attributes:
        replies: the distinct replies, each named by the first pair that holds it.
        group: their token ids; `group.rows` are indices into `replies`.
        chosen: for each pair the index of its chosen reply.
        rejected: for each pair the index of its rejected reply.
        weights: pair weights; of a list, its one weight.
        pair_ids: names for messages; of a list, its id.
        margins: by how many logits each chosen reply must win.
        targets: probability that each chosen reply is the better one.
        ranks: of a list, the rank of each reply, smaller is better; empty for pairs.
    """

    replies: tuple[Reply, ...]
    group: Group
    chosen: tuple[int, ...]
    rejected: tuple[int, ...]
    weights: tuple[float, ...]
    pair_ids: tuple[str, ...]
    margins: tuple[float, ...] = ()
    targets: tuple[float, ...] = ()
    ranks: tuple[float, ...] = ()

    @property
    def size(self) -> int:
        """Pairs that the unit counts for: a list counts for its stages, one fewer than its replies when none are tied."""
        return num_stages(self.ranks) if self.ranks else len(self.chosen)

    @property
    def total_weight(self) -> float:
        """Summed weight of everything that is compared in it."""
        return self.size * self.weights[0] if self.ranks else sum(self.weights)


def select_pairs(pairs: Sequence[Pair], max_pairs: int | None, seed: int) -> list[Pair]:
    """Return the pairs to train on: no ties, and at most `max_pairs`, in whole contexts drawn by hash; order by pair id within a context.

    The first context is taken even when it alone holds more.
    """
    return select_items([pair for pair in pairs if pair.label != "tie"], [], max_pairs, seed)[0]


def select_items(
    pairs: Sequence[Pair], lists: Sequence[RankedList], max_pairs: int | None, seed: int
) -> tuple[list[Pair], list[RankedList]]:
    """Return pairs and lists of whole contexts drawn by hash, as many as count for `max_pairs` at most; all where it is None."""
    contexts: dict[str, tuple[list[Pair], list[RankedList]]] = {}
    for pair in pairs:
        contexts.setdefault(pair.context_id, ([], []))[0].append(pair)
    for ranked in lists:
        contexts.setdefault(ranked.context_id, ([], []))[1].append(ranked)
    chosen: list[Pair] = []
    chosen_lists: list[RankedList] = []
    count = 0
    for context in sorted(contexts, key=lambda name: (unit_interval(name, seed), name)):
        members, ranked_members = contexts[context]
        size = len(members) + sum(num_stages(ranked.ranks) for ranked in ranked_members)
        if max_pairs is not None and count and count + size > max_pairs:
            continue
        count += size
        chosen.extend(sorted(members, key=lambda pair: pair.pair_id))
        chosen_lists.extend(sorted(ranked_members, key=lambda ranked: ranked.list_id))
    return chosen, chosen_lists


def make_units(
    pairs: Sequence[Pair],
    renderer: Renderer,
    batch_size: int,
    *,
    share: bool,
    labels: Labels | None = None,
    lists: Sequence[RankedList] = (),
) -> list[Unit]:
    """Return the units of pairs that have a label, and of ranked lists; a context of more than `batch_size` pairs becomes several.

    Args:
        pairs: no ties.
        renderer: turns replies into ids.
        batch_size: pairs of a unit at most; a list is never split.
        share: compute the tokens that replies of one context share once.
        labels: weights, probabilities and margins.
        lists: ranked lists, one unit each.
    """
    by_context: dict[str, list[Pair]] = {}
    for pair in pairs:
        by_context.setdefault(pair.context_id, []).append(pair)
    labels = labels or Labels()
    units = []
    for members in by_context.values():
        for start in range(0, len(members), batch_size):
            units.append(_unit(members[start : start + batch_size], renderer, share, labels))
    return units + [_list_unit(ranked, renderer, share, labels) for ranked in lists]


def _unit(pairs: Sequence[Pair], renderer: Renderer, share: bool, labels: Labels) -> Unit:
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
    return Unit(
        replies=tuple(replies),
        group=_group(replies, renderer, share),
        chosen=chosen,
        rejected=rejected,
        weights=tuple(labels.weight(pair.pair_id) for pair in pairs),
        pair_ids=tuple(pair.pair_id for pair in pairs),
        margins=tuple(map(labels.margin, pairs)),
        targets=tuple(map(labels.target, pairs)),
    )


def _list_unit(ranked: RankedList, renderer: Renderer, share: bool, labels: Labels) -> Unit:
    replies = tuple(Reply(ranked.context, content, ranked.list_id) for content in ranked.replies)
    return Unit(
        replies=replies,
        group=_group(replies, renderer, share),
        chosen=(),
        rejected=(),
        weights=(labels.weight(ranked.list_id),),
        pair_ids=(ranked.list_id,),
        ranks=ranked.ranks,
    )


def _group(replies: Sequence[Reply], renderer: Renderer, share: bool) -> Group:
    rendered = [renderer.render(reply.context, reply.content, where=reply.name) for reply in replies]
    return make_group(rendered, range(len(replies)), share=share)


def without_identical(units: Sequence[Unit]) -> tuple[list[Unit], list[str]]:
    """Return the units without pairs whose replies became the same tokens when they were cut, and the names of those pairs.

    Such a pair has the same reward twice, whatever the model. Of a list, all is dropped when two of its replies are the same.
    """
    kept: list[Unit] = []
    dropped: list[str] = []
    for unit in units:
        if unit.ranks:
            same = len(set(unit.group.suffixes)) < len(unit.replies)
            dropped += unit.pair_ids if same else ()
            kept += [] if same else [unit]
            continue
        differs = [
            unit.group.suffixes[one] != unit.group.suffixes[other] for one, other in zip(unit.chosen, unit.rejected, strict=True)
        ]
        dropped += [name for name, differ in zip(unit.pair_ids, differs, strict=True) if not differ]
        if any(differs):
            kept.append(unit if all(differs) else _only(unit, differs))
    return kept, dropped


def _only(unit: Unit, wanted: Sequence[bool]) -> Unit:
    names = ("chosen", "rejected", "weights", "pair_ids", "margins", "targets")
    columns: dict[str, Any] = {
        name: tuple(value for value, want in zip(getattr(unit, name), wanted, strict=True) if want) for name in names
    }
    return dataclasses.replace(unit, **columns)


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
