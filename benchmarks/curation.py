"""Does curation work? The paper's arms and their peers on noisy pools whose clean labels are behind an oracle wall.

    python benchmarks/curation.py --check                     made-up pairs with a known answer; a few minutes
    python benchmarks/curation.py --ci --features DIR         1,000 real pairs, two seeds
    python benchmarks/curation.py --full --features DIR       everything; resumable, one line of results.jsonl a cell

Features come from `python benchmarks/curation_features.py --out DIR` (needs GOLDSMITH_DATA; resumable, hours for 12,000 pairs). A cell is
a pool size, a noise kind and rate, a judge's accuracy, a budget of human labels and a seed; each arm of a cell is trained and measured on
held-out prompts, and on held-out prompts with held-out models. Differences are paired by pair, averaged over seeds, with intervals that
resample prompts. Recovered share = (arm - raw) / (clean - raw). Judges are simulated, and say so.
"""

from __future__ import annotations

import argparse
import base64
import itertools
import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from curation_parts.arms import ARMS, OURS, PEERS, Lab, Training, final_head
from curation_parts.data import Data, read, split, synthetic
from curation_parts.noise import judge_choices, noisy_labels
from curation_parts.wall import Scorer, build
from goldsmith.evaluate.statistics import Estimate, accuracy, paired_difference

MAIN_TEST = "held-out prompts"
NOISE = (
    ("uniform", 0.3),
    ("uniform", 0.4),
    ("length", 0.3),
    ("length", 0.4),
    ("format", 0.3),
    ("format", 0.4),
    ("as-they-came", 0.0),
)
THRESHOLDS = tuple(round(0.5 + 0.025 * step, 3) for step in range(20))
WANTED = 0.93
"""Precision of keep for which a threshold is chosen, by the beliefs alone."""
SUPERIOR = 1.959964 + 0.841621
"""A true difference of so many standard errors is found in 80 of 100 experiments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One pool in the making; `budget` is the share of it that people label."""

    size: int
    noise: str
    rate: float
    judge: float
    budget: float
    seed: int

    @property
    def key(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, told in (("check", "made-up pairs"), ("ci", "1,000 real pairs"), ("full", "everything")):
        parser.add_argument(f"--{name}", action="store_true", help=told)
    parser.add_argument("--features", type=Path, help="folder of curation_features.py")
    parser.add_argument("--readout", choices=["last", "layers"], default="layers")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--work", type=Path, default=Path(__file__).resolve().parents[1] / ".work" / "curation")
    parser.add_argument("--arms", nargs="*", default=list(ARMS), choices=list(ARMS))
    arguments = parser.parse_args()
    if (arguments.ci or arguments.full) and arguments.features is None:
        parser.error("--ci and --full need --features DIR; curation_features.py makes it")
    data = read(arguments.features, arguments.readout) if arguments.features else synthetic(3000, seed=1)
    name = f"{arguments.features.name}-{arguments.readout}" if arguments.features else "synthetic"
    cells = list(planned(arguments))
    results = run(data, cells, arguments.arms, arguments.work / f"results-{name}.jsonl")
    tests = {test: data.replies.of(rows) for test, rows in split(data, None, 0)[1].items()}
    print(power(results, tests))
    summary = table(results, tests)
    print("\n".join(summary))
    (arguments.work / f"table-{name}.md").write_text("\n".join(summary) + "\n", encoding="utf-8")
    return 0


def planned(arguments: argparse.Namespace) -> Iterator[Cell]:
    """The cells of a run."""
    if arguments.full:
        sizes, judges, budgets, seeds, noise = (1500, 5000, 10**9), (0.65, 0.75, 0.85), (0.02, 0.05), arguments.seeds, NOISE
    elif arguments.ci:
        sizes, judges, budgets, seeds, noise = (1000,), (0.75,), (0.05,), 2, (("uniform", 0.4), ("length", 0.4))
    else:
        sizes, judges, budgets, seeds, noise = (1000,), (0.75,), (0.05,), 2, (("uniform", 0.4), ("length", 0.4))
    for (kind, rate), size, judge, budget, seed in itertools.product(noise, sizes, judges, budgets, range(1, seeds + 1)):
        yield Cell(size=size, noise=kind, rate=rate, judge=judge, budget=budget, seed=seed)


def run(data: Data, cells: list[Cell], arms: list[str], path: Path) -> list[dict[str, Any]]:
    """Return the results of every cell and arm; those that stand in the file are not computed again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    known = {(row["cell"], row["arm"]): row for row in _read_lines(path)}
    wanted = []
    for number, cell in enumerate(cells, 1):
        missing = [arm for arm in ["clean", *arms] if (cell.key, arm) not in known]
        if missing:
            print(f"cell {number} of {len(cells)}: {cell.key}", file=sys.stderr)
        for arm in missing:
            row = {"cell": cell.key, "arm": arm, **measured(data, cell, arm)}
            known[(cell.key, arm)] = row
            with path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(row) + "\n")
        wanted += [known[(cell.key, arm)] for arm in ["clean", *arms]]
    return wanted


def measured(data: Data, cell: Cell, arm: str) -> dict[str, Any]:
    """Train one arm in one cell and measure it; each arm gets a fresh oracle with the cell's budget."""
    pool_rows, test_rows = split(data, cell.size, cell.seed)
    truth, replies = np.asarray(data.truth)[pool_rows], data.replies.of(pool_rows)
    label = noisy_labels(truth, replies.length, replies.format, cell.noise, cell.rate, cell.seed)  # type: ignore[arg-type]
    judge = judge_choices(truth, replies.length, cell.judge, cell.seed)
    budget = round(cell.budget * len(pool_rows))
    pool, oracle, scorer = build(data.replies, data.truth, data.gap, pool_rows, test_rows, label, judge, budget, cell.seed)
    lab = Lab(pool, oracle, cell.seed)
    everything = np.ones(lab.num, dtype=bool)
    training = Training(use=everything, p_first=scorer.clean().astype(float)) if arm == "clean" else ARMS[arm](lab)
    found = {test: encoded(right) for test, right in outcomes(scorer, final_head(lab, training)).items()}
    longer = {test: encoded(scorer.right(test, replies.length)) for test, replies in scorer.tests.items()}
    quality = scorer.decisions(training.kept, training.flipped) if training.kept is not None else None
    return {
        "right": found,
        "longer": longer,
        "labels_read": len(oracle.log),
        "pairs": int(training.use.sum()),
        "quality": quality,
        "pool": lab.num,
    }


def threshold_curve(scorer: Scorer, label: Any, belief: Any) -> list[dict[str, float]]:
    """Precision and recall of keeping and flipping at every threshold; `expected` is the precision of keep that the beliefs themselves promise."""
    right = np.where(label, belief, 1.0 - belief)
    rows = []
    for bar in THRESHOLDS:
        kept = right > bar
        rows.append(
            {
                "sure_above": bar,
                "expected": float(right[kept].mean()) if kept.any() else 1.0,
                **scorer.decisions(kept, 1.0 - right > bar),
            }
        )
    return rows


def without_truth(curve: list[dict[str, float]], precision: float) -> dict[str, float] | None:
    """Return the point with the lowest threshold at which the beliefs promise this precision of keep; None where none does."""
    return next((row for row in curve if row["expected"] >= precision), None)


def outcomes(scorer: Scorer, weight: Any) -> dict[str, Any]:
    """Whether each test pair is ranked rightly, by test."""
    return {
        name: scorer.right(name, (replies.first.astype(float) - replies.second.astype(float)) @ weight)
        for name, replies in scorer.tests.items()
    }


def table(results: list[dict[str, Any]], tests: dict[str, Any]) -> list[str]:
    """Return the table: accuracy, recovered share, and the best of ours against the best peer, by setting."""
    lines = []
    for setting, by_arm in by_setting(results).items():
        lines += [
            f"## {setting}",
            "",
            "| arm | " + " | ".join(tests) + " | difference from raw | recovered share | labels |",
            "|---|" + "---|" * (len(tests) + 3),
        ]
        main = {arm: mean_right(rows, MAIN_TEST) for arm, rows in by_arm.items()}
        prompts = tests[MAIN_TEST].prompts
        lines.append(
            "| longer wins | "
            + " | ".join(f"{100 * decoded(by_arm['clean'][0]['longer'][test]).mean():.1f} %" for test in tests)
            + " | | | |"
        )
        for arm, rows in by_arm.items():
            cells = [_percent(accuracy(mean_right(rows, test), replies.prompts, seed=0)) for test, replies in tests.items()]
            difference = paired_difference(main[arm], main["raw"], prompts, seed=0) if "raw" in main else Estimate()
            share = recovered(main[arm].mean(), main["raw"].mean(), main["clean"].mean()) if "raw" in main else None
            lines.append(
                f"| {arm} | {' | '.join(cells)} | {_points(difference)} | {'' if share is None else f'{share:.2f}'} | {rows[0]['labels_read']} |"
            )
        lines += ["", *_versus(main, prompts), *_quality(by_arm), ""]
    return lines


def recovered(arm: float, raw: float, clean: float) -> float | None:
    """Return (arm - raw) / (clean - raw); None where clean is no better than raw, so that there is nothing to recover."""
    return float((arm - raw) / (clean - raw)) if clean > raw else None


def power(results: list[dict[str, Any]], tests: dict[str, Any]) -> str:
    """Return what differences this data can show: 2.8 standard errors of a paired difference, prompts resampled."""
    lines = []
    for setting, by_arm in by_setting(results).items():
        if "raw" not in by_arm or "clean" not in by_arm:
            continue
        for test, replies in tests.items():
            found = paired_difference(mean_right(by_arm["clean"], test), mean_right(by_arm["raw"], test), replies.prompts, seed=0)
            if found.low is None or found.high is None or found.value is None:
                continue
            smallest = SUPERIOR * (found.high - found.low) / (2 * 1.959964)
            told = (
                ""
                if found.value > smallest
                else "; what there is to recover is smaller than that, so this setting answers nothing"
            )
            lines.append(
                f"power, {setting}, {test}: {found.num_pairs} pairs of {found.num_contexts} prompts show differences of {100 * smallest:.1f} points{told}"
            )
    return "\n".join(lines)


def by_setting(results: list[dict[str, Any]]) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Rows by setting (a cell without its seed) and arm."""
    found: dict[str, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for row in results:
        cell = Cell(**json.loads(row["cell"]))
        size = f"{row['pool']:,}" if cell.size < 10**9 else "all"
        noise = cell.noise if cell.noise == "as-they-came" else f"{cell.noise} noise {100 * cell.rate:.0f} %"
        found[f"{noise}, pool {size}, simulated judge {100 * cell.judge:.0f} %, people {100 * cell.budget:.0f} %"][
            row["arm"]
        ].append(row)
    return found


def mean_right(rows: list[dict[str, Any]], test: str) -> Any:
    """Each test pair's share of seeds in which it is ranked rightly."""
    return np.mean([decoded(row["right"][test]) for row in rows], axis=0)


def encoded(right: Any) -> dict[str, Any]:
    return {"num": len(right), "bits": base64.b64encode(np.packbits(np.asarray(right, dtype=bool)).tobytes()).decode()}


def decoded(value: dict[str, Any]) -> Any:
    return np.unpackbits(np.frombuffer(base64.b64decode(value["bits"]), dtype=np.uint8))[: value["num"]].astype(float)


def _versus(main: dict[str, Any], prompts: Any) -> list[str]:
    ours, peers = ([arm for arm in arms if arm in main] for arms in (OURS, PEERS))
    if not ours or not peers:
        return []
    best, rival = (max(arms, key=lambda arm: float(main[arm].mean())) for arms in (ours, peers))
    return [
        f"Best of ours ({best}) against the best peer ({rival}): {_points(paired_difference(main[best], main[rival], prompts, seed=0))}. Both were chosen after the fact."
    ]


def _quality(by_arm: dict[str, list[dict[str, Any]]]) -> list[str]:
    lines = []
    for arm, rows in by_arm.items():
        found = [row["quality"] for row in rows if row["quality"]]
        if found:
            medians = {name: float(np.median([one[name] for one in found])) for name in found[0]}
            lines.append(f"- {arm}: " + ", ".join(f"{name.replace('_', ' ')} {value:.2f}" for name, value in medians.items()))
        chosen = [point for row in rows if row.get("curve") and (point := without_truth(row["curve"], WANTED))]
        if chosen:
            medians = {name: float(np.nanmedian([one[name] for one in chosen])) for name in chosen[0]}
            lines.append(
                f"  - threshold chosen for {WANTED}: "
                + ", ".join(f"{name.replace('_', ' ')} {value:.2f}" for name, value in medians.items())
            )
    return ["", "Decisions, median over seeds:", *lines] if lines else []


def _percent(estimate: Estimate) -> str:
    return "" if estimate.value is None else f"{100 * estimate.value:.1f} %"


def _points(estimate: Estimate) -> str:
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return ""
    return f"{100 * estimate.value:+.1f} ({100 * estimate.low:+.1f} to {100 * estimate.high:+.1f})"


def _read_lines(path: Path) -> list[dict[str, Any]]:
    """Whole lines; a torn last one is owed again."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True) if path.is_file() else []:
        if line.endswith("\n"):
            found.append(json.loads(line))
    if path.is_file():
        path.write_text("".join(json.dumps(row) + "\n" for row in found), encoding="utf-8")
    return found


if __name__ == "__main__":
    sys.exit(main())
