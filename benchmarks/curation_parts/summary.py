"""What the cells' outcomes say: accuracies, recovered shares, differences, decisions and power."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from curation_parts.arms import OURS, PEERS
from curation_parts.data import MAIN_TEST, Data
from curation_parts.outcomes import LONGER, Outcomes, cell_of

SUPERIOR = 1.959964 + 0.841621
"""A true difference of so many standard errors is found in 80 of 100 experiments."""


def summarise(results: list[dict[str, Any]], data: Data) -> dict[str, Any]:
    """Return everything that is told of a run, as JSON values, by setting."""
    by_setting: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in results:
        by_setting[cell_of(row).setting].append(row)
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


def _curve(curves: list[list[dict[str, float]]]) -> list[dict[str, float | None]] | None:
    return [_medians(list(points)) for points in zip(*curves, strict=True)] if curves else None  # type: ignore[misc]


def _medians(found: list[Any]) -> dict[str, float | None] | None:
    """Medians over seeds by name; None where no seed has a value, as of the precision of flips where nothing is flipped."""
    found = [one for one in found if one]
    if not found:
        return None
    columns = {name: np.array([one[name] for one in found], dtype=float) for name in found[0]}
    return {name: None if np.isnan(values).all() else float(np.nanmedian(values)) for name, values in columns.items()}
