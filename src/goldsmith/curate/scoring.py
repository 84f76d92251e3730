"""Scores of the whole pool by best RM and gold RM, out of fold, and the evidence on gold that the stack is fitted to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from goldsmith.curate.context import Context
from goldsmith.curate.partition import ROWS
from goldsmith.curate.rewards import Rewards, closed_contexts, rewards_out_of_fold, trainable
from goldsmith.curate.stage1 import gold_accuracy, gold_margins, silver_up_to
from goldsmith.store import PAIR_COLUMNS

SCORE_SCHEMA = pa.schema(
    [
        ("pair_id", pa.string()),
        ("model_digest", pa.string()),
        ("first", pa.float64()),
        ("second", pa.float64()),
        ("fold", pa.int64()),
    ]
)
GOLD_SCORE_SCHEMA = pa.schema([("pair_id", pa.string()), ("split", pa.string()), ("best", pa.float64()), ("gold", pa.float64())])
"""Margins of `first` over `second` on every decided gold pair of train and validation, by heads that did not see its context."""


def score_pool(context: Context, fingerprint: str) -> dict[str, Any]:
    """Write `scores_best` and `scores_gold`, rewards of every pool pair out of fold in the pool's order, and `gold_scores`."""
    workspace, readout = context.workspace, context.config.reward.readout
    pool, gold = workspace.table("pool").rows(PAIR_COLUMNS), workspace.table("gold").rows()
    closed = closed_contexts(gold)
    best_round = int(workspace.table("best").rows()[0]["round"])
    seen = [row for row in gold if row["split"] != "audit" and row["label"] != "tie"]
    held = np.array([row["split"] == "validation" for row in seen], dtype=bool)
    validation = [row for row in seen if row["split"] == "validation"]
    trainings = {
        "best": trainable(silver_up_to(context, best_round - 1), closed),
        "gold": trainable([row for row in gold if row["split"] == "train"], closed),
    }
    facts: dict[str, Any] = {}
    on_gold: dict[str, Any] = {}
    for name, training in trainings.items():
        scored, head = rewards_out_of_fold(context, training, [*pool, *seen], readout)
        head.save(workspace.models / f"{name}-rm")
        _write_scores(context, fingerprint, name, scored.rows(slice(0, len(pool))), head.digest)
        tail = scored.rows(slice(len(pool), None))
        on_gold[name] = tail.first - tail.second
        margins = gold_margins(tail.rows(held), validation)
        facts[f"{name}_rm"] = {"trained_on": len(training), **gold_accuracy(context, validation, margins)}
    with workspace.writer("gold_scores", step="scores", fingerprint=fingerprint) as out:
        names = [[row[key] for row in seen] for key in ("pair_id", "split")]
        out.write(pa.table([*names, on_gold["best"], on_gold["gold"]], schema=GOLD_SCORE_SCHEMA))
    return facts


def _write_scores(context: Context, fingerprint: str, name: str, scored: Rewards, model_digest: str) -> None:
    table = pa.table(
        [
            pa.array(scored.pair_ids, pa.string()),
            pa.repeat(pa.scalar(model_digest, pa.string()), len(scored.pair_ids)),
            pa.array(scored.first),
            pa.array(scored.second),
            pa.array(scored.fold, mask=scored.fold < 0),
        ],
        schema=SCORE_SCHEMA,
    )
    with context.workspace.writer(f"scores_{name}", step="scores", fingerprint=fingerprint) as out:
        for start in range(0, max(1, table.num_rows), ROWS):
            out.write(table.slice(start, ROWS))
