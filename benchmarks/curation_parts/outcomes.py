"""Which test pairs an arm ranks rightly, joined over seeds, with intervals that resample prompts.

A test pair's outcome in an arm is its share of seeds in which it is ranked rightly. Recovered share = (arm - raw) / (clean - raw).
"""

from __future__ import annotations

import base64
import json
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from curation_parts.data import MAIN_TEST, Data, split
from goldsmith.store import atomic

RESAMPLES = 2000
LONGER = "longer wins"


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

    @property
    def setting(self) -> str:
        size = f"{self.size:,}" if self.size < 10**9 else "all"
        noise = self.noise if self.noise == "as-they-came" else f"{self.noise} noise {100 * self.rate:.0f} %"
        return f"{noise}, pool {size}, simulated judge {100 * self.judge:.0f} %, people {100 * self.budget:g} %"


def cell_of(row: dict[str, Any]) -> Cell:
    """The cell of a line of results."""
    return Cell(**json.loads(row["cell"]))


def results_of(path: Path) -> list[dict[str, Any]]:
    """Return the whole lines of a file of results, none where it is not there; a torn last one is taken out, and owed again."""
    if not path.is_file():
        return []
    whole, ended, torn = path.read_text(encoding="utf-8").rpartition("\n")
    if torn:
        atomic.write_text(path, whole + ended)
    return [json.loads(line) for line in whole.splitlines()]


class Outcomes:
    """Outcomes of one setting, by arm and test, joined over seeds."""

    def __init__(self, rows: list[dict[str, Any]], data: Data) -> None:
        self.data, self.arms = data, list(dict.fromkeys(row["arm"] for row in rows))
        self._drawn: dict[tuple[str, str], Any] = {}
        self._weights: dict[str, Any] = {}
        self.rows = {arm: [row for row in rows if row["arm"] == arm] for arm in self.arms}
        sums: dict[tuple[str, str], Any] = {}
        counts: dict[tuple[str, str], Any] = {}
        places: dict[int, dict[str, Any]] = {}
        self.by_seed: dict[tuple[str, str], list[float]] = defaultdict(list)
        for row in rows:
            seed = cell_of(row).seed
            if seed not in places:
                places[seed] = split(data, 0, seed)[1]
            tests = places[seed]
            told = [(row["arm"], row["right"])] + ([(LONGER, row["longer"])] if row["longer"] else [])
            for arm, by_test in told:
                for test, value in by_test.items():
                    right, key = decoded(value), (arm, test)
                    sums.setdefault(key, np.zeros(len(data.truth)))[tests[test]] += right
                    counts.setdefault(key, np.zeros(len(data.truth)))[tests[test]] += 1
                    self.by_seed[key].append(float(right.mean()))
        self.tests = list(dict.fromkeys(test for _, test in sums))
        with np.errstate(invalid="ignore"):
            self._right = {key: sums[key] / counts[key] for key in sums}

    def right(self, arm: str, test: str) -> Any:
        """Each test pair's share of seeds in which it is ranked rightly, of the pairs that are in a test, [T]."""
        values = self._right[arm, test]
        return values[~np.isnan(values)]

    def sums(self, arm: str, test: str) -> tuple[Any, Any]:
        """Sums and numbers of outcomes by prompt."""
        values = self._right[arm, test]
        there = ~np.isnan(values)
        _, prompt = np.unique(np.array(self.data.replies.prompts, dtype=str)[there], return_inverse=True)
        return np.bincount(prompt, weights=values[there]), np.bincount(prompt).astype(float)

    def resampled(self, arm: str, test: str) -> Any:
        """Accuracies of resampled prompts, the same prompts for every arm, [RESAMPLES]."""
        if (arm, test) not in self._drawn:
            sums, counts = self.sums(arm, test)
            if test not in self._weights:
                draws = np.random.default_rng(5).multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=RESAMPLES)
                self._weights[test] = draws.astype(np.float32)
            weights = self._weights[test]
            self._drawn[arm, test] = (weights @ sums) / (weights @ counts)
        return self._drawn[arm, test]

    def accuracy(self, arm: str, test: str) -> dict[str, float]:
        return estimate(float(self.right(arm, test).mean()), self.resampled(arm, test))

    def difference(self, one: str, other: str, test: str) -> dict[str, float]:
        value = float(self.right(one, test).mean() - self.right(other, test).mean())
        return estimate(value, self.resampled(one, test) - self.resampled(other, test))

    def share(self, arm: str, test: str = MAIN_TEST) -> dict[str, float | None] | None:
        """The recovered share, with the median over seeds; None where clean labels teach no more than raw ones."""
        arm_, raw, clean = (float(self.right(name, test).mean()) for name in (arm, "raw", "clean"))
        if clean <= raw:
            return None
        drawn = [self.resampled(name, test) for name in (arm, "raw", "clean")]
        gains = drawn[2] - drawn[1]
        usable = gains > 1e-6
        found = estimate((arm_ - raw) / (clean - raw), ((drawn[0] - drawn[1])[usable] / gains[usable]))
        each = [
            (a - r) / (c - r)
            for a, r, c in zip(*(self.by_seed[name, test] for name in (arm, "raw", "clean")), strict=True)
            if c > r
        ]
        return {**found, "median": float(np.median(each)) if each else None}


def estimate(value: float, drawn: Any) -> dict[str, float]:
    """A value with the 95 % interval of its resamples."""
    low, high = np.percentile(drawn, [2.5, 97.5])
    return {"value": value, "low": float(low), "high": float(high)}


def encoded(right: Any) -> dict[str, Any]:
    return {"num": len(right), "bits": base64.b64encode(np.packbits(np.asarray(right, dtype=bool)).tobytes()).decode()}


def decoded(value: dict[str, Any]) -> Any:
    return np.unpackbits(np.frombuffer(base64.b64decode(value["bits"]), dtype=np.uint8))[: value["num"]].astype(float)
