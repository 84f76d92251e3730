"""The experiment with real judges and real people: PandaLM's pairs, each with three people's votes and the verdicts of two models.

Labels are the verdicts of one model and judgements those of the other; people are the votes' majority. All is cross-fitted: a fifth of the
prompts is the test, people label a share of the rest. Pairs that people call a tie, and those on which one of the models is not decisive,
are left out and counted.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from curation_parts.arms import ARMS, final_head
from curation_parts.data import MAIN_TEST, PARTS, Data
from curation_parts.lab import Lab
from curation_parts.outcomes import decoded, encoded
from curation_parts.training import Training
from curation_parts.wall import build
from goldsmith.evaluate.statistics import Estimate, accuracy, paired_difference
from goldsmith.reward.head import assign_folds

ROLES = {"labels by PandaLM-7B": ("pandalm-7b", "gpt-3.5-turbo"), "labels by GPT-3.5": ("gpt-3.5-turbo", "pandalm-7b")}
"""Whose verdicts stand for the labels as they came, and whose for the judge's."""


def outcomes(data: Data, arms: list[str], budget: float, seeds: int) -> dict[str, Any]:
    """Return, by role, arm and fold, the outcomes on held-out prompts, and how often labels, judge and decisions are right in the pool."""
    found: dict[str, Any] = {}
    for role, (label_by, judge_by) in ROLES.items():
        said = {name: _verdicts(data, name) for name in (label_by, judge_by)}
        decided = np.array([row["group"] == "pandalm" and not row["is_tie"] for row in data.extra])
        usable = np.flatnonzero(decided & np.isin(said[label_by], (0.0, 1.0)) & np.isin(said[judge_by], (0.0, 1.0)))
        prompts = [data.replies.prompts[place] for place in usable]
        fold = assign_folds(prompts, PARTS, 0)
        rows = []
        for seed in range(1, seeds + 1):
            pool, test = usable[fold != seed % PARTS], usable[fold == seed % PARTS]
            label, judge = said[label_by][pool] == 1.0, said[judge_by][pool] == 1.0
            rows += _fold(data, pool, test, label, judge, arms, round(budget * len(pool)), seed)
        found[role] = {
            "pairs": len(usable),
            "ties_or_undecided": int((data.group == "pandalm").sum()) - len(usable),
            "rows": rows,
        }
    return found


def _fold(
    data: Data, pool_rows: Any, test_rows: Any, label: Any, judge: Any, arms: list[str], budget: int, seed: int
) -> list[dict[str, Any]]:
    memo: dict[Any, Any] = {}
    rows = []
    for arm in ["clean", *arms]:
        # People's majority is the truth here, so they do not err against it.
        pool, oracle, scorer = build(
            data.replies,
            data.truth,
            np.full(len(data.truth), 99.0),
            pool_rows,
            {MAIN_TEST: test_rows},
            label,
            judge,
            budget,
            seed,
        )
        lab = Lab(pool, oracle, seed, memo)
        clean = scorer.clean()
        training = Training(use=np.ones(lab.num, dtype=bool), p_first=clean.astype(float)) if arm == "clean" else ARMS[arm](lab)
        margin = scorer.tests[MAIN_TEST].difference @ final_head(lab, training)
        belief = training.belief
        rows.append(
            {
                "arm": arm, "seed": seed, "right": encoded(scorer.right(MAIN_TEST, margin)), "labels_read": len(oracle.log),
                "prompts": list(scorer.tests[MAIN_TEST].prompts), "label_right": float((label == clean).mean()), "judge_right": float((judge == clean).mean()),
                "belief_right": None if belief is None else float(((belief > 0.5) == clean).mean()),
                "quality": scorer.decisions(training.kept, training.flipped) if training.kept is not None else None,
            }
        )  # fmt: skip
    return rows


def _verdicts(data: Data, judge: str) -> Any:
    return np.array([np.nan if (value := row.get("judges", {}).get(judge)) is None else value for row in data.extra])


def summarised(found: dict[str, Any], data: Data) -> dict[str, Any]:
    """Return accuracies on held-out prompts and differences from raw labels, with intervals that resample prompts, by role and arm."""
    return {role: _summary(one) for role, one in found.items()}


def _summary(one: dict[str, Any]) -> dict[str, Any]:
    arms = list(dict.fromkeys(row["arm"] for row in one["rows"]))
    by_arm = {arm: [row for row in one["rows"] if row["arm"] == arm] for arm in arms}
    right = {arm: np.concatenate([decoded(row["right"]) for row in rows]) for arm, rows in by_arm.items()}
    prompts = [name for row in by_arm["raw"] for name in row["prompts"]]
    pool = by_arm["raw"]
    return {
        "pairs": one["pairs"],
        "left_out": one["ties_or_undecided"],
        "label_right": float(np.mean([row["label_right"] for row in pool])),
        "judge_right": float(np.mean([row["judge_right"] for row in pool])),
        "arms": {
            arm: {
                "accuracy": _told(accuracy(right[arm], prompts, seed=0)),
                "from_raw": _told(paired_difference(right[arm], right["raw"], prompts, seed=0)),
                "labels": by_arm[arm][0]["labels_read"],
                "belief_right": _mean([row["belief_right"] for row in by_arm[arm]]),
            }
            for arm in arms
        },
    }


def table(found: dict[str, Any]) -> list[str]:
    """Return the tables in Markdown."""
    lines = []
    for role, one in found.items():
        lines += [
            f"## PandaLM, {role}",
            "",
            f"{one['pairs']} pairs, {one['left_out']} left out; in the pool the labels are right in {100 * one['label_right']:.1f} %, the judge in {100 * one['judge_right']:.1f} %.",
            "",
            "| arm | held-out prompts | from raw | probabilities are right in the pool | people's labels |",
            "|---|---|---|---|---|",
        ]
        for arm, row in one["arms"].items():
            belief = "" if row["belief_right"] is None else f"{100 * row['belief_right']:.1f}"
            lines.append(
                f"| {arm} | {_shown(row['accuracy'])} | {_shown(row['from_raw'], sign='+')} | {belief} | {row['labels']} |"
            )
        lines.append("")
    return lines


def _told(estimate: Estimate) -> dict[str, float | None]:
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high}


def _shown(estimate: dict[str, float | None], sign: str = "") -> str:
    value, low, high = (
        float("nan") if one is None else 100 * one for one in (estimate["value"], estimate["low"], estimate["high"])
    )
    return f"{value:{sign}.1f} ({low:{sign}.1f} to {high:{sign}.1f})"


def _mean(values: list[float | None]) -> float | None:
    told = [value for value in values if value is not None]
    return float(np.mean(told)) if told else None
