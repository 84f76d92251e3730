"""Verdicts to judgements: within each model first, across models second; a failure counts for nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Literal

from goldsmith.types import Judgement, Verdict

Choice = Literal["first", "second", "tie", "abstain"]
Shares = tuple[float, float, float]
"""Parts of a model's usable verdicts for first, second and tie; they sum to 1."""


def aggregate(verdicts: Sequence[Verdict], weights: Mapping[str, float] | None = None) -> list[Judgement]:
    """Return one judgement for each pair that has a usable verdict, by pair id.

    p_first is the share of `first` plus half the share of `tie`, averaged within each model and then across models. The
    choice is `tie` where ties outweigh both sides, `abstain` where both sides weigh the same, else the heavier side.

    Args:
        verdicts: any number per pair and model; failed and abstaining ones are left out.
        weights: of models, above 0; none: all equal.
    """
    usable: dict[str, dict[str, list[Verdict]]] = defaultdict(lambda: defaultdict(list))
    for verdict in verdicts:
        if verdict.choice in ("first", "second", "tie"):
            usable[verdict.pair_id][verdict.model].append(verdict)
    return [_judgement(pair_id, usable[pair_id], weights or {}) for pair_id in sorted(usable)]


def _judgement(pair_id: str, models: Mapping[str, Sequence[Verdict]], weights: Mapping[str, float]) -> Judgement:
    shares = {model: model_shares(models[model]) for model in sorted(models)}
    total = sum(weights.get(model, 1.0) for model in shares)
    first, second, tie = (sum(weights.get(model, 1.0) * part[at] for model, part in shares.items()) / total for at in range(3))
    return Judgement(
        pair_id=pair_id,
        choice=choose(first, second, tie),
        p_first=min(1.0, max(0.0, round(first + tie / 2, 12))),
        by_model={model: part[0] + part[2] / 2 for model, part in shares.items()},
    )


def model_shares(verdicts: Sequence[Verdict]) -> Shares:
    """Return the shares of one model's usable verdicts, at least one."""
    counts = [sum(verdict.choice == choice for verdict in verdicts) for choice in ("first", "second", "tie")]
    total = sum(counts)
    return counts[0] / total, counts[1] / total, counts[2] / total


def choose(first: float, second: float, tie: float) -> Choice:
    """Return the choice of shares; equal within rounding counts as equal."""
    margin = 1e-9
    if tie > max(first, second) + margin:
        return "tie"
    if abs(first - second) <= margin:
        return "abstain"
    return "first" if first > second else "second"
