"""What the cells' outcomes say: accuracies, recovered shares and differences with intervals that resample prompts, decisions, power.

A test pair's outcome in an arm is its share of seeds in which it is ranked rightly. Recovered share = (arm - raw) / (clean - raw).
"""

from __future__ import annotations

import base64
import json
from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from curation_parts.arms import OURS, PEERS
from curation_parts.data import MAIN_TEST, Data, split

SUPERIOR = 1.959964 + 0.841621
"""A true difference of so many standard errors is found in 80 of 100 experiments."""
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
            seed = Cell(**json.loads(row["cell"])).seed
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
        return _estimate(float(self.right(arm, test).mean()), self.resampled(arm, test))

    def difference(self, one: str, other: str, test: str) -> dict[str, float]:
        value = float(self.right(one, test).mean() - self.right(other, test).mean())
        return _estimate(value, self.resampled(one, test) - self.resampled(other, test))

    def share(self, arm: str, test: str = MAIN_TEST) -> dict[str, float] | None:
        """The recovered share, with the median over seeds; None where clean labels teach no more than raw ones."""
        arm_, raw, clean = (float(self.right(name, test).mean()) for name in (arm, "raw", "clean"))
        if clean <= raw:
            return None
        drawn = [self.resampled(name, test) for name in (arm, "raw", "clean")]
        gains = drawn[2] - drawn[1]
        usable = gains > 1e-6
        found = _estimate((arm_ - raw) / (clean - raw), ((drawn[0] - drawn[1])[usable] / gains[usable]))
        each = [
            (a - r) / (c - r)
            for a, r, c in zip(*(self.by_seed[name, test] for name in (arm, "raw", "clean")), strict=True)
            if c > r
        ]
        return {**found, "median": float(np.median(each)) if each else float("nan")}


def summarise(results: list[dict[str, Any]], data: Data) -> dict[str, Any]:
    """Return everything that is told of a run, as JSON values, by setting."""
    by_setting: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in results:
        by_setting[Cell(**json.loads(row["cell"])).setting].append(row)
    return {setting: _setting(Outcomes(rows, data)) for setting, rows in by_setting.items()}


def _setting(found: Outcomes) -> dict[str, Any]:
    arms = {
        arm: {
            "accuracy": {test: found.accuracy(arm, test) for test in found.tests},
            "from_raw": found.difference(arm, "raw", MAIN_TEST),
            "share": found.share(arm),
            "labels": found.rows[arm][0]["labels_read"],
            "pairs": float(np.mean([row["pairs"] for row in found.rows[arm]])),
            "quality": _medians([row["quality"] for row in found.rows[arm]]),
            "curve": _curve([row["curve"] for row in found.rows[arm] if row.get("curve")]),
        }
        for arm in found.arms
    }
    return {
        "seeds": len(found.rows["raw"]),
        "pool": float(np.mean([row["pool"] for row in found.rows["raw"]])),
        "longer": {test: found.accuracy(LONGER, test) for test in found.tests},
        "power": {test: _power(found, test) for test in found.tests},
        "arms": arms,
        "against_peers": _against(found),
        "below": _below(found),
    }


def _power(found: Outcomes, test: str) -> dict[str, float]:
    drawn = found.resampled("clean", test) - found.resampled("raw", test)
    sums, counts = found.sums("raw", test)
    gain = float(found.right("clean", test).mean() - found.right("raw", test).mean())
    return {
        "pairs": float(counts.sum()),
        "prompts": float(len(sums)),
        "detectable": float(SUPERIOR * drawn.std()),
        "to_recover": gain,
    }


def _against(found: Outcomes) -> dict[str, Any] | None:
    """Every arm of ours against the peer that is best on this test, which favours the peer."""
    ours, peers = ([arm for arm in found.arms if arm in arms] for arms in (OURS, PEERS))
    if not ours or not peers:
        return None
    rival = max(peers, key=lambda arm: float(found.right(arm, MAIN_TEST).mean()))
    return {"peer": rival, "difference": {arm: found.difference(arm, rival, MAIN_TEST) for arm in ours}}


def _below(found: Outcomes) -> list[list[Any]]:
    """Arms of ours that are below the lower of raw and clean beyond the interval, with the test."""
    bad = []
    for arm in (arm for arm in found.arms if arm in OURS):
        for test in found.tests:
            lower = min(("raw", "clean"), key=lambda name: float(found.right(name, test).mean()))
            difference = found.difference(arm, lower, test)
            if difference["high"] < 0:
                bad.append([arm, test, difference])
    return bad


def _curve(curves: list[list[dict[str, float]]]) -> list[dict[str, float]] | None:
    return [_medians(list(points)) for points in zip(*curves, strict=True)] if curves else None  # type: ignore[misc]


def _medians(found: list[Any]) -> dict[str, float] | None:
    found = [one for one in found if one]
    if not found:
        return None
    columns = {name: np.array([one[name] for one in found], dtype=float) for name in found[0]}
    return {name: float(np.nanmedian(values)) if not np.isnan(values).all() else float("nan") for name, values in columns.items()}


def _estimate(value: float, drawn: Any) -> dict[str, float]:
    low, high = np.percentile(drawn, [2.5, 97.5])
    return {"value": value, "low": float(low), "high": float(high)}


def encoded(right: Any) -> dict[str, Any]:
    return {"num": len(right), "bits": base64.b64encode(np.packbits(np.asarray(right, dtype=bool)).tobytes()).decode()}


def decoded(value: dict[str, Any]) -> Any:
    return np.unpackbits(np.frombuffer(base64.b64decode(value["bits"]), dtype=np.uint8))[: value["num"]].astype(float)


def table(summary: dict[str, Any]) -> list[str]:
    """Return the tables in Markdown."""
    lines = []
    for setting, found in summary.items():
        tests = list(found["longer"])
        lines += [f"## {setting}", "", _power_line(found["power"][MAIN_TEST]), ""]
        lines += [
            "| arm | " + " | ".join(tests) + " | from raw | recovered share | median | labels |",
            "|---|" + "---|" * (len(tests) + 4),
        ]
        lines.append(f"| {LONGER} | " + " | ".join(_percent(found["longer"][test]) for test in tests) + " | | | | |")
        for arm, one in found["arms"].items():
            cells = " | ".join(_percent(one["accuracy"][test]) for test in tests)
            share = one["share"]
            told = "| |" if share is None else f"{_interval(share)} | {share['median']:.2f} |"
            lines.append(f"| {arm} | {cells} | {_points(one['from_raw'])} | {told} {one['labels']} |")
        lines += ["", *_versus_lines(found), *_quality_lines(found), ""]
    return lines


def _power_line(power: dict[str, float]) -> str:
    told = (
        ""
        if power["to_recover"] > power["detectable"]
        else "; what there is to recover is smaller, so this setting answers nothing"
    )
    return (
        f"Power: {power['pairs']:.0f} test pairs of {power['prompts']:.0f} prompts show differences of {100 * power['detectable']:.1f} points; "
        f"clean - raw is {100 * power['to_recover']:.1f}{told}."
    )


def _versus_lines(found: dict[str, Any]) -> list[str]:
    if not found["against_peers"]:
        return []
    against = found["against_peers"]
    ranked = sorted(against["difference"].items(), key=lambda item: -item[1]["value"])[:3]
    told = "; ".join(f"{arm} {_points(value)}" for arm, value in ranked)
    lines = [f"Against the best peer ({against['peer']}): {told}."]
    return lines + [f"Below raw and clean: {arm} on {test}, {_points(value)}." for arm, test, value in found["below"]]


def _quality_lines(found: dict[str, Any]) -> list[str]:
    told = [
        f"- {arm}: " + ", ".join(f"{name.replace('_', ' ')} {value:.2f}" for name, value in one["quality"].items())
        for arm, one in found["arms"].items()
        if one["quality"]
    ]
    return ["", "Decisions, median over seeds:", "", *told] if told else []


def _percent(estimate: dict[str, float]) -> str:
    return f"{100 * estimate['value']:.1f}"


def _points(estimate: dict[str, float]) -> str:
    return f"{100 * estimate['value']:+.1f} ({100 * estimate['low']:+.1f} to {100 * estimate['high']:+.1f})"


def _interval(estimate: dict[str, float]) -> str:
    return f"{estimate['value']:.2f} ({estimate['low']:.2f} to {estimate['high']:.2f})"
