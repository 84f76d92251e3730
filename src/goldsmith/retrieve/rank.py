"""Gold errors to pool pairs: which pairs to label next, and how urgent each one is (contracts: stage 1)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from goldsmith.retrieve.adaptive_k import Rule, adaptive_k
from goldsmith.retrieve.index import Index, Mask, Vectors


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldQuery:
    """A gold pair that asks for neighbours; `p` is the reward model's probability of the human label."""

    pair_id: str
    p: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieved:
    """A pool pair to label; `priority` = sum of similarity x (1 - p) over `gold_ids`, which retrieved it."""

    pair_id: str
    priority: float
    gold_ids: list[str]


def retrieve(
    gold: Sequence[GoldQuery],
    gold_vectors: Vectors,
    index: Index,
    pool_ids: Sequence[str],
    pool_contexts: Sequence[str],
    *,
    rule: Rule = "article",
    k_max: int = 8,
    excluded_contexts: Collection[str] = (),
    excluded_pairs: Collection[str] = (),
) -> list[Retrieved]:
    """Return the pool pairs that the gold pairs' errors ask for, most urgent first, ties by pair id.

    Args:
        gold: Q gold pairs, audit's excluded by the caller.
        gold_vectors: their vectors, shape [Q, D].
        index: the pool's index over `pool_ids`.
        pool_ids: N pair ids, in the index's order.
        pool_contexts: their context ids.
        rule: `article` or `paper`.
        k_max: the 8 of the k rule.
        excluded_contexts: contexts of gold validation and audit and of evaluation sets; their pairs are never returned.
        excluded_pairs: pairs that need no label any more.
    """
    allowed = allowed_rows(pool_ids, pool_contexts, excluded_contexts, excluded_pairs)
    ks = [adaptive_k(query.p, rule, k_max) for query in gold]
    sums: dict[str, float] = {}
    askers: dict[str, list[str]] = {}
    # Ascending order of gold ids: sums of floats then do not depend on the order of the gold table.
    for at in sorted(range(len(gold)), key=lambda at: gold[at].pair_id):
        query = gold[at]
        # One more than k: the query itself may be in the pool, and is never its own neighbour.
        hits = index.search(gold_vectors[at : at + 1], ks[at] + 1 if ks[at] else 0, allowed)[0]
        others = [hit for hit in hits if hit.pair_id != query.pair_id][: ks[at]]
        for hit in others:
            sums[hit.pair_id] = sums.get(hit.pair_id, 0.0) + hit.similarity * (1.0 - query.p)
            askers.setdefault(hit.pair_id, []).append(query.pair_id)
    ranked = sorted(sums, key=lambda pair_id: (-sums[pair_id], pair_id))
    return [Retrieved(pair_id=pair_id, priority=sums[pair_id], gold_ids=askers[pair_id]) for pair_id in ranked]


def allowed_rows(
    ids: Sequence[str], contexts: Sequence[str], excluded_contexts: Collection[str], excluded_pairs: Collection[str]
) -> Mask:
    """Return, shape [N], which rows may be retrieved."""
    bad_contexts, bad_pairs = frozenset(excluded_contexts), frozenset(excluded_pairs)
    rows = (context not in bad_contexts and pair_id not in bad_pairs for pair_id, context in zip(ids, contexts, strict=True))
    return np.fromiter(rows, dtype=np.bool_, count=len(ids))
