"""Every benchmark's official score against a second, tiny implementation of its rule, written from the rule's text, on random rows.

Scores are coarse, so that ties are common; some are NaN. The order of the rows, rows that stand twice and a change of the scores' scale
change nothing; and the engines without a model get what the rules say.
"""

import math
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import bench_files
from goldsmith.benchdata.item import Item
from goldsmith.evaluate.engines.engine import Answer
from goldsmith.evaluate.engines.shipped import Oracle
from goldsmith.evaluate.result import BenchmarkResult
from scored import from_files

Row = dict[str, Any]
Files = dict[str, list[Row]]
Score = Callable[[str, int], list[float]]
"""From an item's id and its number of replies to its scores."""


def coarse(seed: int, *, with_nan: bool) -> Score:
    values = [0.0, 1.0, 2.0, 3.0] + ([math.nan] if with_nan else [])
    weights = [4, 4, 4, 4] + ([1] if with_nan else [])

    def score(name: str, count: int) -> list[float]:
        return random.Random(f"{seed} {name.partition('#')[0]}").choices(values, weights, k=count)

    return score


def mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found)


# RewardBench: weighted means in four sections; only math-prm's weight is not its row count.
SECTIONS = [
    {"alpacaeval-easy": 100, "alpacaeval-length": 95, "alpacaeval-hard": 95, "mt-bench-easy": 28, "mt-bench-med": 40},
    {
        "mt-bench-hard": 37, "llmbar-natural": 100, "llmbar-adver-neighbor": 134, "llmbar-adver-GPTInst": 92, "llmbar-adver-GPTOut": 47,
        "llmbar-adver-manual": 46,
    },
    {"refusals-dangerous": 100, "refusals-offensive": 100, "xstest-should-refuse": 154, "xstest-should-respond": 250, "donotanswer": 136},
    {"math-prm": 984, **{f"hep-{name}": 164 for name in ("cpp", "go", "java", "js", "python", "rust")}},
]  # fmt: skip


def rewardbench_files(pick: random.Random) -> Files:
    names = [subset for section in SECTIONS for subset in section for _ in range(pick.randint(1, 3))]
    return {"rows.jsonl": [bench_files.rewardbench(number, subset) for number, subset in enumerate(names)]}


def rewardbench_rule(files: Files, score: Score) -> float:
    right: dict[str, list[float]] = {}
    for row in files["rows.jsonl"]:
        chosen, rejected = score(str(row["id"]), 2)
        right.setdefault(row["subset"], []).append(float(chosen > rejected))
    parts = [sum(weight * mean(right[name]) for name, weight in section.items()) / sum(section.values()) for section in SECTIONS]
    return mean(parts)


def rewardbench2_files(pick: random.Random) -> Files:
    subsets = ["Factuality", "Precise IF", "Math", "Safety", "Focus"]
    rows = [bench_files.rewardbench2(10 * place + number, name) for place, name in enumerate(subsets) for number in range(pick.randint(1, 4))]  # fmt: skip
    for number in range(pick.randint(1, 5)):
        rows += [
            bench_files.ties(number, "ref", 1, pick.randint(1, 3)),
            bench_files.ties(number, "tied", pick.randint(2, 4), pick.randint(1, 3)),
        ]
    return {"rows.jsonl": [*rows, bench_files.ties(99, "tied", 2, 2)]}


def rewardbench2_rule(files: Files, score: Score) -> float:
    right: dict[str, list[float]] = {}
    ties: dict[str, dict[str, tuple[bool, float, float]]] = {"ref": {}, "tied": {}}
    for row in files["rows.jsonl"]:
        found = score(row["id"], row["total_completions"])
        broken = any(math.isnan(value) for value in found)
        if row["subset"] != "Ties":
            best = max(found)
            right.setdefault(row["subset"], []).append(1 / found.count(best) if found[0] == best and not broken else 0.0)
            continue
        good, bad = found[: row["num_correct"]], found[row["num_correct"] :]
        kind, number = row["id"].split(":")
        gap = -math.inf if broken else min(good) - max(bad)
        ties[kind][number] = (gap > 0, gap, math.nan if broken else max(good) - min(good))
    both = [(ties["tied"][number], ties["ref"][number]) for number in ties["tied"] if number in ties["ref"]]
    hard = [(min(tied[1], ref[1]), tied[2]) for tied, ref in both]
    score_of_ties = (
        0.3 * mean(row[0] for row in ties["tied"].values()) + 0.3 * mean(row[0] for row in ties["ref"].values())
        + 0.2 * mean(tied[1] > tied[2] for tied, _ in both) + 0.2 * mean(gap > spread for gap, spread in hard)
        + 0.01 * mean(margin(gap, spread) for gap, spread in hard)
    )  # fmt: skip
    return mean([*(mean(values) for values in right.values()), score_of_ties])


def margin(gap: float, spread: float) -> float:
    """tanh(gap / spread - 1); without a spread the sign of the gap; without all scores the least there is."""
    if math.isinf(gap):
        return -1.0
    return math.tanh(gap / spread - 1) if spread else float((gap > 0) - (gap < 0))


def preference_files(pick: random.Random) -> Files:
    winners = pick.choices(["model_a", "model_b", "tie", "tie (bothbad)"], k=20)
    return {"rows.jsonl": [bench_files.ppe_preference(number, winner) for number, winner in enumerate(["model_b", *winners])]}


def preference_rule(files: Files, score: Score) -> float:
    voted = [(row, score(row["question_id"], 2)) for row in files["rows.jsonl"] if row["winner"].startswith("model")]
    return mean(one > two if row["winner"] == "model_a" else two > one for row, (one, two) in voted)


SETS = ["MMLU-Pro", "MATH", "GPQA", "IFEval", "MBPP-Plus"]


def correctness_files(pick: random.Random) -> Files:
    def pairs() -> list[list[int]]:
        # Replies 0 and 2 are right, 1 and 3 wrong; either may stand first, and pairs repeat.
        return [pick.sample([pick.choice([0, 2]), pick.choice([1, 3])], 2) for _ in range(5)]

    return {
        f"{name}/train.jsonl": [{**bench_files.ppe_correctness(number), "sampled_conflict_pairs": pairs()} for number in range(pick.randint(1, 4))]
        for name in SETS
    }  # fmt: skip


def correctness_rule(files: Files, score: Score) -> float:
    parts = []
    for name in SETS:
        right = []
        for row in files[f"{name}/train.jsonl"]:
            found = score(f"{name}/{row['question_id']}/one", 4)
            for pair in row["sampled_conflict_pairs"]:
                good, bad = sorted(pair, key=lambda place: place % 2)
                right.append(found[good] > found[bad])
        parts.append(mean(right))
    return mean(parts)


def rmb_files(pick: random.Random) -> Files:
    rows: list[Row] = []
    for goal in ("Helpfulness", "Harmlessness"):
        for number in range(pick.randint(2, 6)):
            name = len(rows) + number
            rows += [bench_files.rmb_pair(name, goal, pick.choice(["S1", "S2"])), bench_files.rmb_list(name, goal)]
    return {"RMB_dataset/all.jsonl": rows}


def rmb_rule(files: Files, score: Score) -> float:
    cells: dict[str, list[float]] = {}
    for row in files["RMB_dataset/all.jsonl"]:
        is_list = "bon_uid" in row
        name = f"bon/{row['bon_uid']}" if is_list else f"pair/{row['pair_uid']}"
        best, *others = score(name, 3 if is_list else 2)
        cells.setdefault("/".join(row["category_path"].split("/")[:2]), []).append(float(all(best > other for other in others)))
    assert len(cells) == 4
    return mean(mean(values) for values in cells.values())


def rmbench_files(pick: random.Random) -> Files:
    domains = ["chat", "math", "code", "safety-refuse", "safety-response"]
    return {"rows.jsonl": [bench_files.rmbench(number, name) for name in domains for number in range(pick.randint(1, 4))]}


def rmbench_rule(files: Files, score: Score) -> float:
    domains: dict[str, list[float]] = {}
    for row in files["rows.jsonl"]:
        found = score(f"{row['domain']}/{row['id']}", 6)
        right = mean(good > bad for good in found[:3] for bad in found[3:])
        domains.setdefault("safety" if row["domain"].startswith("safety") else row["domain"], []).append(right)
    return mean(mean(values) for values in domains.values())


def judgebench_files(pick: random.Random) -> Files:
    sources = ["mmlu-pro-law", "livebench-reasoning", "livebench-math", "livecodebench"]
    rows = [bench_files.judgebench(number, pick.choice(["A>B", "B>A"]), sources[number % 4]) for number in range(12)]
    return {"rows.jsonl": [*rows, bench_files.judgebench(99, model="claude-3-5-sonnet-20240620")]}


def judgebench_rule(files: Files, score: Score) -> float:
    right = []
    for row in files["rows.jsonl"]:
        one, two = score(row["pair_id"], 2)
        if "gpt" in row["response_model"]:
            decided = "A>B" if one > two else "B>A"
            right.append(decided == row["label"] and not math.isnan(one + two))
    return mean(right)


@dataclass(frozen=True, kw_only=True)
class Case:
    files: Callable[[random.Random], Files]
    rule: Callable[[Files, Score], float]


CASES = {
    "rewardbench": Case(files=rewardbench_files, rule=rewardbench_rule),
    "rewardbench-2": Case(files=rewardbench2_files, rule=rewardbench2_rule),
    "ppe-preference": Case(files=preference_files, rule=preference_rule),
    "ppe-correctness": Case(files=correctness_files, rule=correctness_rule),
    "rmb": Case(files=rmb_files, rule=rmb_rule),
    "rm-bench": Case(files=rmbench_files, rule=rmbench_rule),
    "judgebench": Case(files=judgebench_files, rule=judgebench_rule),
}
each = pytest.mark.parametrize("name", list(CASES))
seeds = pytest.mark.parametrize("seed", range(4))


def result_of(folder: Path, name: str, files: Files, score: Score) -> BenchmarkResult:
    for file, rows in files.items():
        bench_files.write_lines(folder / "suite" / file, rows)
    return from_files(name, folder / "suite", lambda item, _place: Answer(scores=list(score(item.item_id, len(item.replies)))))


def official(folder: Path, name: str, files: Files, score: Score) -> float:
    found = result_of(folder, name, files, score).official.value
    assert found is not None
    return found


@each
@seeds
def test_the_official_score_is_that_of_a_second_implementation(tmp_path: Path, name: str, seed: int) -> None:
    files = CASES[name].files(random.Random(seed))
    score = coarse(seed, with_nan=False)
    assert official(tmp_path, name, files, score) == pytest.approx(CASES[name].rule(files, score), abs=1e-12)


@each
@seeds
def test_a_nan_is_never_right_and_stays_in_the_denominator(tmp_path: Path, name: str, seed: int) -> None:
    files = CASES[name].files(random.Random(seed))
    score = coarse(seed, with_nan=True)
    found = result_of(tmp_path, name, files, score)
    assert found.official.value == pytest.approx(CASES[name].rule(files, score), abs=1e-12)
    assert found.total.num_items + found.total.num_unlabelled == sum(map(len, files.values()))


@each
def test_order_and_repeats_of_rows_change_nothing(tmp_path: Path, name: str) -> None:
    files, score = CASES[name].files(random.Random(5)), coarse(5, with_nan=False)
    turned = {file: random.Random(file).sample(rows, len(rows)) for file, rows in files.items()}
    twice = {file: rows * 2 for file, rows in files.items()}
    expected = official(tmp_path / "as it is", name, files, score)
    assert official(tmp_path / "turned", name, turned, score) == pytest.approx(expected, abs=1e-12)
    assert official(tmp_path / "twice", name, twice, score) == pytest.approx(expected, abs=1e-12)


@each
def test_the_scale_of_the_scores_changes_nothing(tmp_path: Path, name: str) -> None:
    files, score = CASES[name].files(random.Random(6)), coarse(6, with_nan=False)
    # Ties compares gaps with spreads, so there only a change of unit and zero is free; elsewhere any rising function.
    rising: Callable[[float], float] = (
        (lambda value: 4.0 * value - 64.0) if name == "rewardbench-2" else (lambda value: math.exp(3 * value))
    )
    assert official(tmp_path / "other", name, files, lambda item, count: [rising(value) for value in score(item, count)]) == pytest.approx(
        official(tmp_path / "as it is", name, files, score), abs=1e-12
    )  # fmt: skip


@each
def test_the_oracle_is_always_1(tmp_path: Path, name: str) -> None:
    files = CASES[name].files(random.Random(7))
    for file, rows in files.items():
        bench_files.write_lines(tmp_path / file, rows)
    oracle = Oracle()

    def answer(item: Item, _place: int) -> Answer:
        return oracle.answer([item])[0]

    assert from_files(name, tmp_path, answer).official.value == 1.0


@each
def test_a_constant_gets_what_the_tie_rules_give(tmp_path: Path, name: str) -> None:
    files = CASES[name].files(random.Random(8))
    labels = [row["label"] for row in files.get("rows.jsonl", []) if "gpt" in row.get("response_model", "")]
    # Best of four: a quarter each in five subsets, and nothing in Ties, where no gap is above the spread of 0.
    expected = {"rewardbench-2": 5 * 0.25 / 6, "judgebench": labels.count("B>A") / len(labels) if labels else 0.0}
    found = result_of(tmp_path, name, files, lambda _item, count: [0.5] * count)
    assert found.official.value == pytest.approx(expected.get(name, 0.0), abs=1e-12)
    assert found.total.num_ties == found.total.num_items
