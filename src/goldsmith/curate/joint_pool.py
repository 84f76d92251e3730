"""The joint estimate in a workspace: fitted to the pool, or to a sample of a large one, and written as rewards that stage 2 streams over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from goldsmith.curate.bars import bars_of
from goldsmith.curate.context import Context
from goldsmith.curate.evidence import codes, p_of
from goldsmith.curate.gold_evidence import gold_evidence, probed
from goldsmith.curate.joint import Joint
from goldsmith.curate.joint_checks import Everything, fit_joint_checked
from goldsmith.curate.rewards import pair_features
from goldsmith.curate.stack import MARGIN_LIMIT, Stack
from goldsmith.curate.surface import Surface, surface
from goldsmith.identity import unit_interval
from goldsmith.store import PAIR_COLUMNS, atomic

FITTED_TO = 20_000
"""Pool pairs of a fit at most: whole contexts by hash, and all gold."""
AT_ONCE = 20_000
"""Pairs whose features are in memory at once."""


def joint_of_pool(
    context: Context, gold: Sequence[dict[str, Any]], opinions: Mapping[str, Any]
) -> tuple[Stack | None, Path | None, dict[str, Any]]:
    """Return the estimate as a stack on its own rewards, the file that holds these in the pool's order, and facts for the report.

    Args:
        context: the run; `pool`, `gold_scores` and the features are there.
        gold: rows of gold.
        opinions: (choice, p_first, people's label) by pair id, of judges on pool pairs.
    """
    pool = context.workspace.table("pool").rows(PAIR_COLUMNS)
    evidence = gold_evidence(context, gold)
    open_gold = {row["pair_id"]: row for row in gold if row["split"] != "audit" and row["label"] != "tie"}
    in_pool = {row["pair_id"] for row in pool}
    fitted = _sample(pool, open_gold, context.seed) + [row for name, row in open_gold.items() if name not in in_pool]
    known = _everything(context, fitted, in_pool, open_gold, opinions)
    checked = fit_joint_checked(known, evidence, context.seed, context.config.curate.folds)
    facts: dict[str, Any] = {"stack": checked.facts, "statements": checked.statements}
    if checked.joint is None:
        return None, None, facts
    margins = dict(zip((row["pair_id"] for row in fitted), checked.joint.margin.tolist(), strict=True))
    path = context.workspace.cache / "joint" / "scores.parquet"
    _write(context, pool, checked.joint, margins, path)
    by, bars = checked.joint.transitions, bars_of(checked.joint.p_first, known.label, context.config.curate)
    facts["stack"] = {**checked.facts, "bars": asdict(bars)}
    trust = tuple(dict.fromkeys([*checked.joint.trust, "label", "judges"]))
    # The rewards hold the surface's part already, and both RMs' opinions are the features' own: neither counts twice.
    return (
        Stack(label=by.get("label"), judges=by.get("judges"), weight=(1.0, 1.0, 1.0, 0.0, 0.0, 0.0), bars=bars, trust=trust),
        path,
        facts,
    )


def _sample(pool: list[dict[str, Any]], gold: Mapping[str, Any], seed: int) -> list[dict[str, Any]]:
    """Pool pairs of whole contexts in the order of their hashes, until there are enough; those in gold always."""
    if len(pool) <= FITTED_TO:
        return pool
    order = sorted(pool, key=lambda row: (row["pair_id"] not in gold, unit_interval(row["context_id"], seed), row["pair_id"]))
    return order[:FITTED_TO]


def _everything(
    context: Context, rows: Sequence[dict[str, Any]], in_pool: set[str], gold: Mapping[str, dict[str, Any]], opinions: Mapping[str, Any]
) -> Everything:  # fmt: skip
    first, second = pair_features(context, rows, context.config.reward.readout)
    said = probed(context) | {name: one[1] for name, one in opinions.items() if one[1] is not None}
    # The label of a pair that came with votes alone is people's own, and so no label that could err.
    label = [row["label"] if row["pair_id"] in in_pool else None for row in rows]
    human = [gold[row["pair_id"]]["label"] if row["pair_id"] in gold else None for row in rows]
    return Everything(
        differences=first.astype(np.float64) - second, contexts=[row["context_id"] for row in rows], label=p_of(codes(label)),
        judged_p=np.array([said.get(row["pair_id"], np.nan) for row in rows]), human=p_of(codes(human)), differs=_differs(rows),
    )  # fmt: skip


def _write(context: Context, pool: Sequence[dict[str, Any]], joint: Joint, margins: Mapping[str, float], path: Path) -> None:
    """Rewards of every pool pair: out of fold where the pair was fitted to, by the whole head elsewhere."""
    found = np.empty(len(pool))
    for start in range(0, len(pool), AT_ONCE):
        rows = pool[start : start + AT_ONCE]
        unseen = [place for place, row in enumerate(rows) if row["pair_id"] not in margins]
        part = np.array([margins.get(row["pair_id"], 0.0) for row in rows])
        if unseen:
            others = [rows[place] for place in unseen]
            first, second = pair_features(context, others, context.config.reward.readout)
            differs = _differs(others)
            lean = joint.surface[0] * differs.length + joint.surface[1] * differs.format
            part[unseen] = (first.astype(np.float64) - second) @ joint.weight + lean
        found[start : start + len(rows)] = np.clip(part, -MARGIN_LIMIT, MARGIN_LIMIT)
    table = pa.table({"pair_id": [row["pair_id"] for row in pool], "first": found, "second": np.zeros(len(found))})
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{atomic.TEMPORARY}{path.name}")
    with atomic.explained(path):
        pq.write_table(table, temporary)
        temporary.replace(path)


def _differs(rows: Sequence[dict[str, Any]]) -> Surface:
    return surface([row["first"] for row in rows], [row["second"] for row in rows])
