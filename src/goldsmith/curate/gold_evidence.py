"""What a run knows of its gold pairs: the label they had, both models' margins, what judges said of them, and their surface."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from goldsmith.curate.context import Context
from goldsmith.curate.evidence import codes
from goldsmith.curate.gold import pairs_by_id
from goldsmith.curate.judging import judge_weights, used_judges
from goldsmith.curate.stack import Gold
from goldsmith.curate.surface import surface


def gold_evidence(context: Context, gold: Sequence[dict[str, Any]]) -> Gold:
    """Return the evidence on every decided gold pair of train and validation, for `fit_stack`.

    Args:
        context: the run; `gold_scores` is written.
        gold: rows of gold.
    """
    margins = {row["pair_id"]: row for row in context.workspace.table("gold_scores").rows()}
    rows = [row for row in gold if row["pair_id"] in margins]
    before = {name: row["label"] for name, row in pairs_by_id(context, [row["pair_id"] for row in rows]).items()}
    said = probed(context)
    had = [before.get(row["pair_id"]) for row in rows]
    return Gold(
        truth=codes([row["label"] for row in rows]),
        contexts=[row["context_id"] for row in rows],
        label=codes([None if label == "tie" else label for label in had]),
        best=np.array([margins[row["pair_id"]]["best"] for row in rows], dtype=np.float64),
        gold=np.array([margins[row["pair_id"]]["gold"] for row in rows], dtype=np.float64),
        judged_p=np.array([said.get(row["pair_id"], np.nan) for row in rows], dtype=np.float64),
        differs=surface([row["first"] for row in rows], [row["second"] for row in rows]),
    )


def probed(context: Context) -> dict[str, float]:
    """Return the probability that `first` wins, by the judges in use, of the gold pairs they were tested on."""
    from goldsmith.judge.aggregate import aggregate
    from goldsmith.types import Verdict

    used = set(used_judges(context))
    if not used:
        return {}
    rows = [row for row in context.workspace.table("verdicts_probe").rows() if row["model"] in used]
    lists: dict[str, Any] = {"shown_order": [], "usage": {}}
    verdicts = [
        Verdict.model_validate(row | {name: json.loads(row[name]) if row[name] else empty for name, empty in lists.items()})
        for row in rows
    ]
    return {item.pair_id: item.p_first for item in aggregate(verdicts, judge_weights(context)) if item.choice != "abstain"}
