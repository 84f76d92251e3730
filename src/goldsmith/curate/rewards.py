"""Heads on cached features, for the rounds and stage 2: pairs in, rewards out, and never on a pair's own context."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from goldsmith.curate.context import Context
from goldsmith.store import PAIR_COLUMNS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from goldsmith.reward.features import Readout
    from goldsmith.reward.head import Head

    Features = NDArray[np.float32]
    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewards:
    """Rewards of N pairs' replies; `fold` is -1 where the whole model scored, else the part it was not trained on."""

    pair_ids: list[str]
    first: Floats
    second: Floats
    fold: NDArray[np.int64]

    @property
    def p_first(self) -> Floats:
        """Probability that `first` wins, shape [N]."""
        return 1.0 / (1.0 + np.exp(-(self.first - self.second)))

    def rows(self, chosen: slice | NDArray[np.bool_]) -> Rewards:
        """Return those of some pairs, by a slice or a mask."""
        ids = self.pair_ids[chosen] if isinstance(chosen, slice) else [self.pair_ids[at] for at in np.flatnonzero(chosen)]
        return Rewards(pair_ids=ids, first=self.first[chosen], second=self.second[chosen], fold=self.fold[chosen])


def pair_features(context: Context, rows: Sequence[dict[str, Any]], readout: Readout) -> tuple[Features, Features]:
    """Return the features of both replies of pair rows, two arrays [N, D]; what is cached is read."""
    from goldsmith.reward.grouping import Reply

    replies = []
    for row in rows:
        messages = json.loads(row["context"])
        replies += [Reply(messages, row[side], f"pair {row['pair_id']}, {side}") for side in ("first", "second")]
    if not replies:
        width = context.features.width(readout)
        return np.zeros((0, width), dtype=np.float32), np.zeros((0, width), dtype=np.float32)
    vectors = context.features.features(
        replies, readout=readout, progress=lambda done, total, _tokens: context.progress.update(done, total, "replies")
    )
    return vectors[0::2], vectors[1::2]


def compute_features(context: Context, fingerprint: str) -> dict[str, Any]:
    """Compute every feature of the run in one plan, so that a killed run and an unbroken one batch alike."""
    rows = {
        row["pair_id"]: row
        for name in ("pool", "recorded_pairs", "eval_pairs")
        for row in context.workspace.table(name).rows(PAIR_COLUMNS)
    }
    ordered = [rows[name] for name in sorted(rows)]
    pair_features(context, ordered, context.config.reward.readout)
    with context.workspace.writer("featured", step="features", fingerprint=fingerprint) as out:
        out.write(_ids_table(sorted(rows)))
    return {"pairs": len(rows), "extractor": context.features.digest, "truncated": context.features.renderer.truncated}


def fit(context: Context, rows: Sequence[dict[str, Any]], readout: Readout) -> Head:
    """Return a Bradley-Terry head fitted to the rows' labels (`first` or `second`)."""
    from goldsmith.reward.head import fit_head

    chosen, rejected = oriented(rows, *pair_features(context, rows, readout))
    groups = [row["context_id"] for row in rows]
    return fit_head(chosen, rejected, groups, l2s=context.config.head.l2, seed=context.seed)


def oriented(rows: Sequence[dict[str, Any]], first: Features, second: Features) -> tuple[Features, Features]:
    """Return the same features as (chosen, rejected)."""
    is_first = np.array([row["label"] == "first" for row in rows])[:, None]
    return np.where(is_first, first, second), np.where(is_first, second, first)


def rewards(context: Context, head: Head, rows: Sequence[dict[str, Any]], readout: Readout) -> Rewards:
    """Return the rewards that a fitted head gives to rows it was not trained on."""
    first, second = pair_features(context, rows, readout)
    return Rewards(
        pair_ids=[row["pair_id"] for row in rows],
        first=head.score(first),
        second=head.score(second),
        fold=np.full(len(rows), -1, dtype=np.int64),
    )


def rewards_out_of_fold(
    context: Context, training: Sequence[dict[str, Any]], rows: Sequence[dict[str, Any]], readout: Readout
) -> tuple[Rewards, Head]:
    """Return rewards in which no row is scored by a head that saw its context, and the head trained on everything.

    Args:
        context: the run.
        training: labelled rows.
        rows: rows to score; those whose context is in training get the head of the fold that leaves it out.
        readout: what the head reads.
    """
    num_folds = context.config.curate.folds
    whole = fit(context, training, readout)
    result = rewards(context, whole, rows, readout)
    folds = context_folds([row["context_id"] for row in training], num_folds, context.seed)
    of_row = np.array([folds.get(row["context_id"], -1) for row in rows], dtype=np.int64)
    for fold in range(num_folds):
        chosen = np.flatnonzero(of_row == fold)
        if chosen.size:
            rest = [row for row in training if folds[row["context_id"]] != fold]
            part = rewards(context, fit(context, rest, readout), [rows[at] for at in chosen.tolist()], readout)
            result.first[chosen], result.second[chosen] = part.first, part.second
    return Rewards(pair_ids=result.pair_ids, first=result.first, second=result.second, fold=of_row), whole


def context_folds(contexts: Collection[str], num_folds: int, seed: int) -> dict[str, int]:
    """Return a fold for each context: an even deal of the contexts in hash order."""
    from goldsmith.identity import unit_interval

    ordered = sorted(set(contexts), key=lambda name: (unit_interval(f"fold:{name}", seed), name))
    return {name: place % num_folds for place, name in enumerate(ordered)}


def trainable(rows: Sequence[dict[str, Any]], closed_contexts: Collection[str]) -> list[dict[str, Any]]:
    """Return the rows that may be trained on: decided, and of no context of gold validation, gold audit or an evaluation set."""
    closed = frozenset(closed_contexts)
    return [row for row in rows if row["label"] != "tie" and row["context_id"] not in closed]


def closed_contexts(gold: Sequence[dict[str, Any]]) -> set[str]:
    """Return the contexts of gold validation and audit (contracts: Gold)."""
    return {row["context_id"] for row in gold if row["split"] != "train"}


def _ids_table(pair_ids: list[str]) -> Any:
    import pyarrow as pa

    return pa.table({"pair_id": pa.array(pair_ids, pa.string())})
