"""A full report's data, made up: what a middling run would give."""

from __future__ import annotations

import pytest

from goldsmith.evaluate.report.data import (
    Batch,
    Cost,
    Coverage,
    CoverageCell,
    Final,
    Gold,
    Histogram,
    JudgeRow,
    Judges,
    KnownNoise,
    Margins,
    ReportData,
    Round,
    SetResult,
    Stage2,
    Step,
)
from goldsmith.evaluate.report.pool_parts import Agreement, ExamplePair, MapPoint, PoolMap
from goldsmith.evaluate.statistics import Estimate

TASKS = [
    "math/arithmetic",
    "coding/question",
    "writing/story",
    "facts/geography",
    "safety/refusal",
    "format/constraints",
    "chat/advice",
]


def estimate(value: float, half: float, num_pairs: int = 900, num_contexts: int = 300, num_ties: int = 0) -> Estimate:
    return Estimate(
        value=value, low=value - half, high=value + half, num_pairs=num_pairs, num_contexts=num_contexts, num_ties=num_ties,
        method="cluster-bootstrap",
    )  # fmt: skip


def set_result(name: str, curated: float, raw: float, longer: float, half: float, pairs: int, contexts: int) -> SetResult:
    models = {
        "curated": estimate(curated, half, pairs, contexts, 2),
        "raw": estimate(raw, half, pairs, contexts),
        "best RM": estimate(curated - 0.03, half, pairs, contexts),
        "gold RM": estimate(raw - 0.02, half, pairs, contexts),
    }
    return SetResult(
        name=name, models=models, longer=estimate(longer, half, pairs, contexts),
        difference=estimate(curated - raw, half * 0.7, pairs, contexts),
        above_longer=estimate(curated - longer, half * 0.9, pairs, contexts),
    )  # fmt: skip


@pytest.fixture(scope="session")
def sample() -> ReportData:
    return full_report()


def full_report() -> ReportData:
    kinds = [("factual", "low"), ("factual", "medium"), ("opinion", "medium"), ("opinion", "high"), ("open-ended", "low")]
    cells = [
        CoverageCell(task=task, objectivity=o, controversiality=c, num_pairs=(7 - i) * (5 - j) ** 2 * 3)
        for i, task in enumerate(TASKS)
        for j, (o, c) in enumerate(kinds)
    ]
    by_task = {task: {"keep": 180 - 15 * i, "relabel": 4, "flip": 40 + 6 * i, "drop": 12} for i, task in enumerate(TASKS)}
    by_action = {action: sum(row[action] for row in by_task.values()) for action in ("keep", "relabel", "flip", "drop")}
    edges = [i / 20 for i in range(21)]
    return ReportData(
        title="Goldsmith demo", created="2026-11-22T10:48:42+00:00", version="0.1.0", seed=7, machine="Some CPU, 2 cores, 16 GiB", runtime_s=561.0,
        simulated=["the votes of three annotators and an expert (known error rates)", "30 % of the labels, reversed on purpose"],
        funnel=[
            Step(name="ingest", total=1702, kept=1690, dropped={"identical replies": 8}, failed={"field 'rejected' is empty": 4}),
            Step(name="pool", total=1690, kept=1601, dropped={"duplicate": 31, "contradiction": 22, "shares a 13-gram with LLMBar": 36}),
            Step(name="attributes", total=1601, kept=1599, failed={"no task": 2}),
            Step(name="stage 2", total=1599, kept=1515, dropped={"drop": 84}),
        ],
        coverage=Coverage(cells=cells, num_pairs=sum(c.num_pairs for c in cells), num_tasks=len(TASKS)),
        gold=Gold(
            by_split={"train": 96, "validation": 33, "audit": 31}, by_how={"unanimous": 118, "majority": 29, "expert": 13},
            alpha_first=Batch(batch="first round", alpha=0.812, low=0.755, high=0.862, num_pairs=165, outcome="undecided"),
            batches=[
                Batch(batch="seed", alpha=0.83, low=0.76, high=0.89, num_pairs=110, outcome="undecided"),
                Batch(batch="round-1", alpha=0.70, low=0.58, high=0.81, num_pairs=30, outcome="fail"),
                Batch(batch="round-2", alpha=0.94, low=0.87, high=1.0, num_pairs=25, outcome="pass"),
            ],
            disputes=13, discards=5, dropped={"discard": 5},
        ),
        judges=Judges(
            tests=[
                JudgeRow(model="smollm2-135m", num_pairs=60, num_correct=31, accuracy=0.517, low=0.393, high=0.639, ties=0, abstained=7,
                         failed=2, position_first_share=0.83, kappa=0.03, beats_chance=False, used=False),
            ],
            reason="accuracy 31 of 60, interval 39.3 to 63.9 %, does not lie above 50 %",
        ),
        rounds=[
            Round(round=1, silver_total=390, silver_by_origin={"rule": 390}, gold_total=110, accuracy_validation=0.636, low=0.48, high=0.79,
                  num_validation=33, accuracy_train=0.66, retrieved=212, to_humans=30, to_llm=182),
            Round(round=2, silver_total=572, silver_by_origin={"rule": 540, "human": 32}, gold_total=135, accuracy_validation=0.697, low=0.55,
                  high=0.85, num_validation=33, accuracy_train=0.71, retrieved=190, to_humans=25, to_llm=165),
        ],
        best_round=2,
        margins=Margins(
            round=2,
            gold=Histogram(edges=edges, series={"right": [0] * 10 + [9, 11, 12, 14, 13, 12, 9, 7, 4, 2], "wrong": [1, 1, 2, 2, 4, 4, 5, 6, 6, 5] + [0] * 10}),
            pool=Histogram(edges=edges, series={
                "left alone": [2, 4, 8, 12, 18, 25, 34, 45, 60, 72, 90, 105, 120, 118, 110, 95, 80, 60, 40, 22],
                "reversed on purpose": [10, 18, 26, 30, 38, 42, 46, 44, 40, 36, 30, 26, 22, 18, 14, 10, 8, 6, 4, 2]}),
            curated=Histogram(edges=edges, series={"keep": [0] * 10 + [40, 60, 80, 90, 70, 60, 50, 30, 20, 10], "relabel": [1] * 20, "flip": [9] * 20}),
            calibration_error=0.061, share_gold_below=0.28,
        ),
        pool_map=PoolMap(
            points=[
                MapPoint(x=0.2 + 0.2 * i, y=0.3, pair_id=f"{i:032x}", action=action, label_before="first", label_after="second", reason="failed article-keep",
                         p_label=0.31, prompt=f"Prompt {i}", first=f"First reply {i}", second=f"Second reply {i}")
                for i, action in enumerate(("keep", "flip", "flip", "drop"))
            ],
            num_decided=1599, by_action={"keep": 1, "flip": 2, "drop": 1}, variance=0.2, prompt_characters=300, reply_characters=600,
        ),
        stage2=Stage2(
            by_action=by_action, by_rule={"article-keep": by_action["keep"], "recycle-all": by_action["flip"], "tie": 84, "human": 28}, by_task=by_task,
            known_noise=KnownNoise(reversed={"unchanged": 160, "turned": 300, "dropped": 20}, untouched={"unchanged": 960, "turned": 95, "dropped": 64}),
            gold_rm=estimate(0.73, 0.14, 33, 30),
            agreement=[Agreement(one="label", other="best RM", num_pairs=1580, num_same=1103), Agreement(one="best RM", other="gold RM", num_pairs=1590, num_same=1201)],
            examples=[
                ExamplePair(pair_id="9f" * 16, action="keep", rule="article-keep", reason="the gold RM agrees with the label", p_label=0.81,
                            prompt="What is 17 times 23? Reply with the number alone.", chosen="391", rejected="17 times 23 is 401."),
                ExamplePair(pair_id="3a" * 16, action="flip", rule="recycle-all", reason="the gold RM prefers the other reply", p_label=0.22,
                            prompt="Write a poem of exactly two lines about rain.", chosen="Rain is falling.\nIt is wet.\nThe sun is gone.",
                            rejected="Rain taps the roof in silver thread,\nand sings the garden into bed."),
            ],
        ),
        training={"curated": {"num_pairs": 1515, "loss": 0.5321, "steps": 48}, "raw": {"num_pairs": 1515, "loss": 0.6012, "steps": 48}},
        final=Final(
            sets=[
                set_result("held-out", 0.781, 0.722, 0.701, 0.027, 900, 300),
                set_result("llmbar", 0.522, 0.528, 0.471, 0.034, 1115, 1020),
                set_result("gold audit", 0.74, 0.71, 0.61, 0.16, 31, 28),
            ],
            pooled_difference=estimate(0.024, 0.017, 2046, 1348),
            pooled={"curated": estimate(0.642, 0.02, 2046, 1348), "raw": estimate(0.618, 0.02, 2046, 1348), "best RM": estimate(0.612, 0.02, 2046, 1348),
                    "gold RM": estimate(0.6, 0.02, 2046, 1348), "longer": estimate(0.575, 0.02, 2046, 1348)},
        ),
        cost=Cost(
            usage={"calls": 148, "cached": 22, "failed": 2, "unknown": 1, "prompt_tokens": 118_203, "completion_tokens": 9_411, "cost": 0.0},
            seconds={"pool": 4.1, "attributes": 41.0, "gold": 1.2, "judges": 88.3, "rounds": 61.4, "stage 2": 44.0, "train": 270.2, "evaluate": 51.0},
        ),
        config={"name": "Goldsmith demo", "seed": 7, "gold": {"min_alpha": 0.85}},
    )  # fmt: skip
