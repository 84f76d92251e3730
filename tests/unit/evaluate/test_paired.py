"""Differences of official scores: against the scores themselves, against hand sums, and with intervals narrower than unpaired ones."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bench_files as bench
from evaluated import NoisyTruth, evaluate
from goldsmith.benchdata.catalogue import CORE
from goldsmith.benchdata.ppe_correctness import EXPECTED as PPE_SETS
from goldsmith.benchdata.rewardbench import SECTIONS
from goldsmith.benchdata.rmbench import EXPECTED as RMBENCH
from goldsmith.evaluate.compare.load import load
from goldsmith.evaluate.paired import differences, shared_items
from goldsmith.evaluate.result import ItemRecord
from goldsmith.evaluate.scoring.rule import Settings

SETTINGS = Settings(seed=0, resamples=500)
REWARDBENCH = [subset for subsets in SECTIONS.values() for subset in subsets]
JUDGEBENCH = ["mmlu-pro-law", "livebench-reasoning", "livebench-math", "livecodebench"]


def item(
    name: str, is_right: bool | None, benchmark: str = "own", subset: str = "all", prompt: str = "", **more: Any
) -> ItemRecord:
    decision = "failed" if is_right is None else "right" if is_right else "wrong"
    return ItemRecord(
        benchmark=benchmark, subset=subset, item_id=name, prompt_id=prompt or name, outcome=decision, credit=None if is_right is None else float(is_right),
        good=[True, False], text_ids=[f"{name}-c", f"{name}-r"], scores=[1.0, 0.0] if is_right else [0.0, 1.0], comparisons=[(0, 1)],
        decisions=[decision], **more,
    )  # fmt: skip


def of(outcomes: Sequence[bool | None], **more: Any) -> list[ItemRecord]:
    return [item(f"i{place}", outcome, **more) for place, outcome in enumerate(outcomes)]


def difference(one: list[ItemRecord], other: list[ItemRecord], benchmark: str = "own") -> Any:
    return differences(benchmark, {"one": one, "other": other}, [("one", "other")], SETTINGS)["one", "other"]


def test_plain_pairs_by_hand() -> None:
    # Of 100 prompts the first model wins 20 the other loses, loses 10; 70 are equal: 0.10, variance 0.30 - 0.01, half 1.96 sqrt(.29 / 100) = 0.1055.
    one, other = [True] * 20 + [False] * 10 + [True] * 70, [False] * 20 + [True] * 10 + [True] * 70
    estimate, alone = difference(of(one), of(other))
    assert estimate.value == pytest.approx(0.10)
    assert estimate.high - estimate.low == pytest.approx(2 * 0.1055, abs=0.03)
    assert (estimate.num_pairs, estimate.num_contexts, alone) == (100, 100, 0)


def test_equal_models_differ_by_nothing_for_sure() -> None:
    estimate, _ = difference(of([True, False] * 20), of([True, False] * 20))
    assert (estimate.value, estimate.low, estimate.high) == (0.0, 0.0, 0.0)
    assert not estimate.excludes_zero


def test_the_official_weights_count() -> None:
    # RewardBench: math-prm weighs 984 whatever its rows, a section a quarter. Reasoning here has 10 rows of math-prm and 30 of hep-cpp
    # (weight 164): one model has all of math-prm right and nothing else, the other nothing: 984 / (984 + 164) / 4.
    subsets = ["math-prm"] * 10 + ["hep-cpp"] * 30
    one = [item(f"i{n}", subset == "math-prm", "rewardbench", subset) for n, subset in enumerate(subsets)]
    other = [item(f"i{n}", False, "rewardbench", subset) for n, subset in enumerate(subsets)]
    estimate, _ = difference(one, other, "rewardbench")
    assert estimate.value == pytest.approx(984 / 1148 / 4)


def test_only_items_that_ask_the_same_are_compared() -> None:
    one, other = of([True, True, True]), of([False, False, False])
    changed = other[1].model_copy(update={"text_ids": ["other", "texts"]})
    first, second, alone = shared_items(one, [other[2], changed, other[0]])
    assert [record.item_id for record in first] == [record.item_id for record in second] == ["i0", "i2"]
    assert alone == 2


def test_nothing_shared_has_no_difference() -> None:
    estimate, alone = difference(of([True]), [item("else", True)])
    assert (estimate.value, estimate.reason, alone) == (None, "no item that both models have", 2)


def test_a_failure_counts_as_not_right_and_stays_paired() -> None:
    estimate, _ = difference(of([True, True, None, True] * 10), of([True, True, True, True] * 10))
    assert estimate.value == pytest.approx(-0.25)
    assert estimate.high is not None
    assert estimate.high < 0


def test_pairing_narrows_the_interval_of_similar_models() -> None:
    random = np.random.default_rng(1)
    base = random.random(400) < 0.7
    twin = np.where(random.random(400) < 0.02, ~base, base)
    estimate, _ = difference(of(base.tolist()), of(twin.tolist()))
    unpaired = 2 * 1.96 * (2 * 0.7 * 0.3 / 400) ** 0.5
    assert estimate.high - estimate.low < 0.4 * unpaired


def test_one_prompt_has_no_interval() -> None:
    estimate, _ = difference(of([True, True], prompt="p"), of([True, False], prompt="p"))
    assert (estimate.value, estimate.low) == (0.5, None)
    assert "no interval" in (estimate.reason or "")


@pytest.fixture(scope="module")
def seven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models on files that have every part of every benchmark."""
    folder = tmp_path_factory.mktemp("seven")
    parts = ["Factuality", "Precise IF", "Math", "Safety", "Focus"]
    rows = {
        "reward-bench.jsonl": [bench.rewardbench(n, name) for n, name in enumerate([*REWARDBENCH, *REWARDBENCH, "shp"])],
        "reward-bench-2.jsonl": [bench.rewardbench2(n, parts[n % 5]) for n in range(25)]
        + [bench.ties(n, kind, correct) for n in range(8) for kind, correct in (("tied", 3), ("ref", 1))],
        "ppe-human.jsonl": [bench.ppe_preference(n, ("model_a", "model_b", "tie")[n % 3]) for n in range(30)],
        **{f"PPE-{name}-Best-of-K/train.jsonl": [bench.ppe_correctness(n, 6) for n in range(5)] for name in PPE_SETS},
        "RMB_dataset/all.jsonl": [
            make(n, goal, category)
            for n in range(12)
            for make in (bench.rmb_pair, bench.rmb_list)
            for goal, category in (("Helpfulness", "Chat/Small Talk"), ("Harmlessness", "S1"))
        ],
        "total_dataset.jsonl": [bench.rmbench(n, name) for n, name in enumerate([*RMBENCH] * 3)],
        "judgebench.jsonl": [bench.judgebench(n, "A>B", source) for n, source in enumerate(JUDGEBENCH * 5)],
    }
    for name, lines in rows.items():
        bench.write_lines(folder / "suite" / name, lines)
    models = [
        NoisyTruth("one", truth=0.4, seed=1),
        NoisyTruth("other", truth=0.2, seed=2),
        NoisyTruth("failing", truth=0.2, seed=2, fails="1"),
    ]
    return evaluate(folder / "suite", folder / "out", models, rules=())


@pytest.mark.parametrize("benchmark", CORE)
@pytest.mark.parametrize("other", ["other", "failing"])
def test_every_official_score_is_linear_in_its_means(seven: Path, benchmark: str, other: str) -> None:
    models = [next(model for model in load([seven]) if model.name == name) for name in ("one", other)]
    scores = [model.result.benchmark(benchmark).official for model in models]
    items = {model.name: list(model.items(benchmark)) for model in models}
    estimate, alone = differences(benchmark, items, [("one", other)], SETTINGS)["one", other]
    assert alone == 0
    assert estimate.value == pytest.approx(scores[0].value - scores[1].value)
    assert estimate.low is None or estimate.low <= estimate.value <= estimate.high
    assert estimate.low is not None or other == "failing"  # failed Ties rows are grouped by other prompts
