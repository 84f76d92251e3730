"""From the table `evaluation` to accuracies, paired differences and the yardstick of length."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from goldsmith.evaluate.report.data import Final, SetResult
from goldsmith.evaluate.statistics import Estimate, accuracy, paired_difference

Outcome = dict[str, Any]
CURATED, RAW, FINAL, LONGER = "curated", "raw", "final", "longer"


def final_results(rows: Iterable[Outcome], *, seed: int, resamples: int = 2000) -> Final | None:
    """Return the accuracy of every model on every set; None without rows.

    Args:
        rows: set, model, pair_id, context_id, margin (None when only a choice is known), correct (None when the pair
            could not be scored), longer_correct (1, 0, or 0.5 for equal lengths), and optionally tie.
        seed: seed of the bootstrap.
        resamples: bootstrap samples.
    """
    sets: dict[str, dict[str, dict[str, Outcome]]] = {}
    for row in rows:
        # A set's name is part of the key, so a pair that two sets share is counted in both.
        sets.setdefault(row["set"], {}).setdefault(row["model"], {})[f"{row['set']}\n{row['pair_id']}"] = row
    if not sets:
        return None
    main = FINAL if any(FINAL in models for models in sets.values()) else CURATED
    results = [_set_result(name, models, main, seed=seed, resamples=resamples) for name, models in sets.items()]
    merged: dict[str, dict[str, Outcome]] = {}
    for models in sets.values():
        for model, outcomes in models.items():
            merged.setdefault(model, {}).update(outcomes)
    pooled = {name: _accuracy(_scored(outcomes), seed, resamples) for name, outcomes in merged.items()}
    pooled[LONGER] = _longer(merged, seed, resamples)
    return Final(sets=results, main=main, pooled_difference=_difference(merged, seed, resamples), pooled=pooled)


def _set_result(name: str, models: dict[str, dict[str, Outcome]], main: str, *, seed: int, resamples: int) -> SetResult:
    missing = {model: len(outcomes) - len(_scored(outcomes)) for model, outcomes in models.items()}
    return SetResult(
        name=name,
        models={model: _accuracy(_scored(outcomes), seed, resamples) for model, outcomes in models.items()},
        longer=_longer(models, seed, resamples),
        difference=_difference(models, seed, resamples),
        above_longer=_above_longer(models.get(main, {}), seed, resamples),
        missing={model: number for model, number in missing.items() if number},
    )


def _scored(outcomes: dict[str, Outcome]) -> dict[str, Outcome]:
    return {key: row for key, row in outcomes.items() if row.get("correct") is not None}


def _is_tie(row: Outcome) -> bool:
    """Whether both replies scored exactly equal."""
    tie = row.get("tie")
    return bool(tie) if tie is not None else row.get("margin") == 0


def _right(row: Outcome) -> float:
    return 0.0 if _is_tie(row) else float(row["correct"])


def _accuracy(outcomes: dict[str, Outcome], seed: int, resamples: int) -> Estimate:
    rows = list(outcomes.values())
    contexts, ties = [row["context_id"] for row in rows], [_is_tie(row) for row in rows]
    return accuracy([float(row["correct"]) for row in rows], contexts, ties=ties, seed=seed, resamples=resamples)


def _longer(models: dict[str, dict[str, Outcome]], seed: int, resamples: int) -> Estimate:
    """The yardstick over every pair of the set, whichever model scored it."""
    pairs = {key: row for outcomes in models.values() for key, row in outcomes.items() if row.get("longer_correct") is not None}
    rows = list(pairs.values())
    return accuracy([row["longer_correct"] for row in rows], [row["context_id"] for row in rows], seed=seed, resamples=resamples)


def _difference(models: dict[str, dict[str, Outcome]], seed: int, resamples: int) -> Estimate | None:
    """Curated minus raw on the pairs both scored; None unless both models were evaluated."""
    if CURATED not in models or RAW not in models:
        return None
    curated, raw = _scored(models[CURATED]), _scored(models[RAW])
    keys = [key for key in curated if key in raw]
    contexts = [curated[key]["context_id"] for key in keys]
    one, other = [_right(curated[key]) for key in keys], [_right(raw[key]) for key in keys]
    return paired_difference(one, other, contexts, seed=seed, resamples=resamples)


def _above_longer(outcomes: dict[str, Outcome], seed: int, resamples: int) -> Estimate | None:
    """A model minus "longer wins" on the pairs it scored; None when it scored none."""
    rows = [row for row in _scored(outcomes).values() if row.get("longer_correct") is not None]
    if not rows:
        return None
    right, longer = [_right(row) for row in rows], [float(row["longer_correct"]) for row in rows]
    return paired_difference(right, longer, [row["context_id"] for row in rows], seed=seed, resamples=resamples)
