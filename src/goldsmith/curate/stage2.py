"""Stage 2: best RM and gold RM over the whole pool; every pair gets a decision with a reason (spec 5)."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa

from goldsmith.curate.context import Context
from goldsmith.curate.gold import PAIR_COLUMNS
from goldsmith.curate.judging import judge_rows
from goldsmith.curate.recycle import Opinions, decide, needs_judgement
from goldsmith.curate.rewards import Rewards, closed_contexts, rewards_out_of_fold, trainable
from goldsmith.curate.stage1 import gold_accuracy, gold_margins, silver_up_to
from goldsmith.store import Counts, pair_schema
from goldsmith.types import Decision

SCORE_SCHEMA = pa.schema(
    [
        ("pair_id", pa.string()),
        ("model_digest", pa.string()),
        ("first", pa.float64()),
        ("second", pa.float64()),
        ("fold", pa.int64()),
    ]
)
DECISION_SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("pair_id", "action", "label_before", "label_after", "rule", "judges", "reason")]
    + [("p_first", pa.float64())]
)
CURATED_SCHEMA = pair_schema(("action", pa.string()))
BINS = 20


def score_pool(context: Context, fingerprint: str) -> dict[str, Any]:
    """Write `scores_best` and `scores_gold`: rewards of every pool pair, out of fold."""
    workspace, readout = context.workspace, context.config.reward.readout
    pool, gold = workspace.table("pool").rows(PAIR_COLUMNS), workspace.table("gold").rows()
    closed = closed_contexts(gold)
    best_round = int(workspace.table("best").rows()[0]["round"])
    validation = [row for row in gold if row["split"] == "validation" and row["label"] != "tie"]
    trainings = {
        "best": trainable(silver_up_to(context, best_round - 1), closed),
        "gold": trainable([row for row in gold if row["split"] == "train"], closed),
    }
    facts: dict[str, Any] = {}
    for name, training in trainings.items():
        scored, head = rewards_out_of_fold(context, training, [*pool, *validation], readout)
        head.save(workspace.models / f"{name}-rm")
        _write_scores(context, fingerprint, name, _head_part(scored, len(pool)), head.digest)
        margins = gold_margins(_tail_part(scored, len(pool)), validation)
        facts[f"{name}_rm"] = {"trained_on": len(training), **gold_accuracy(context, validation, margins)}
    return facts


def decide_all(context: Context, fingerprint: str) -> dict[str, Any]:
    """Write `decisions` and `curated`."""
    workspace, config = context.workspace, context.config
    pool = {row["pair_id"]: row for row in workspace.table("pool").rows(PAIR_COLUMNS)}
    gold = workspace.table("gold").rows()
    human = {row["pair_id"]: row["label"] for row in gold}
    best, gold_rm = (_p_first(workspace.table(f"scores_{name}").rows()) for name in ("best", "gold"))
    unsure = [
        name
        for name, row in pool.items()
        if name not in human
        and row["label"] != "tie"
        and needs_judgement(row["label"], best[name], config.curate.confident_above)
    ]
    judged = judge_rows(
        context, fingerprint, [pool[name] for name in _least_sure_first(unsure, best)], "stage2", config.judge.max_pairs_stage2
    )
    decisions = [
        decide(
            Opinions(
                pair_id=name,
                label=pool[name]["label"],
                p_first_best=best[name],
                p_first_gold=gold_rm[name],
                judged=judged.choices.get(name),
                p_first_judged=judged.p_first.get(name),
                human=human.get(name),
            ),
            config.curate,
        )
        for name in sorted(pool)
    ]
    _write_decisions(context, fingerprint, decisions)
    counts = _write_curated(context, fingerprint, decisions, pool, gold)
    return _facts(decisions, pool, best, counts) | {
        "unsure": len(unsure),
        "judged": len(judged.choices),
        "replies": judged.replies,
    }


def _least_sure_first(names: list[str], best: dict[str, float]) -> list[str]:
    """The pairs a judgement can still change most: those nearest to even odds."""
    return sorted(names, key=lambda name: (abs(best[name] - 0.5), name))


def _write_curated(
    context: Context, fingerprint: str, decisions: list[Decision], pool: dict[str, dict[str, Any]], gold: list[dict[str, Any]]
) -> Counts:
    """The curated set: what was decided to stay, and gold train; never a context of gold validation or audit."""
    closed = closed_contexts(gold)
    rows, dropped = [], Counter[str]()
    for decision in decisions:
        row = pool[decision.pair_id]
        if row["context_id"] in closed:
            dropped["gold-validation-or-audit-context"] += 1
        elif decision.action == "drop":
            dropped[decision.reason] += 1
        else:
            origin = {"keep": row["label_origin"], "relabel": "llm", "flip": "rule"}[decision.action]
            rows.append(
                {
                    **row,
                    "label": decision.label_after,
                    "label_origin": "human" if decision.rule == "human" else origin,
                    "action": decision.action,
                }
            )
    brought = [row for row in gold if row["pair_id"] not in pool]
    for row in brought:
        if row["split"] != "train":
            dropped["gold-validation-or-audit-context"] += 1
        elif row["label"] == "tie":
            dropped["people call it a tie"] += 1
        else:
            rows.append({**{name: row[name] for name in PAIR_COLUMNS}, "action": "keep"})
    with context.workspace.writer("curated", step="stage2", fingerprint=fingerprint) as out:
        out.write_rows(sorted(rows, key=lambda row: str(row["pair_id"])), CURATED_SCHEMA)
        out.counts = Counts(total=len(decisions) + len(brought), kept=len(rows), dropped=dict(dropped))
    return out.counts


def _facts(decisions: list[Decision], pool: dict[str, dict[str, Any]], best: dict[str, float], counts: Counts) -> dict[str, Any]:
    on_label = [
        best[name] if row["label"] == "first" else 1.0 - best[name] for name, row in pool.items() if row["label"] != "tie"
    ]
    histogram, edges = np.histogram(on_label, bins=BINS, range=(0.0, 1.0))
    return {
        "by_action": dict(Counter(decision.action for decision in decisions)),
        "by_rule": dict(Counter(decision.rule for decision in decisions)),
        "by_reason": dict(Counter(f"{decision.action}: {decision.reason}" for decision in decisions)),
        "counts": counts.model_dump(),
        "p_histogram": {"edges": edges.tolist(), "pool": histogram.tolist()},
    }


def _write_decisions(context: Context, fingerprint: str, decisions: list[Decision]) -> None:
    with context.workspace.writer("decisions", step="stage2", fingerprint=fingerprint) as out:
        out.write_rows([decision.model_dump() for decision in decisions], DECISION_SCHEMA)


def _write_scores(context: Context, fingerprint: str, name: str, scored: Rewards, model_digest: str) -> None:
    rows = [
        {
            "pair_id": pair_id,
            "model_digest": model_digest,
            "first": float(first),
            "second": float(second),
            "fold": int(fold) if fold >= 0 else None,
        }
        for pair_id, first, second, fold in zip(scored.pair_ids, scored.first, scored.second, scored.fold, strict=True)
    ]
    with context.workspace.writer(f"scores_{name}", step="scores", fingerprint=fingerprint) as out:
        out.write_rows(rows, SCORE_SCHEMA)


def _p_first(rows: list[dict[str, Any]]) -> dict[str, float]:
    return {row["pair_id"]: float(1.0 / (1.0 + np.exp(-(row["first"] - row["second"])))) for row in rows}


def _head_part(scored: Rewards, count: int) -> Rewards:
    return Rewards(
        pair_ids=scored.pair_ids[:count], first=scored.first[:count], second=scored.second[:count], fold=scored.fold[:count]
    )


def _tail_part(scored: Rewards, count: int) -> Rewards:
    return Rewards(
        pair_ids=scored.pair_ids[count:], first=scored.first[count:], second=scored.second[count:], fold=scored.fold[count:]
    )
