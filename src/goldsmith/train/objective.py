"""The loss of units: pairs and ranked lists of one step, or of a piece of one."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from goldsmith.train.batches import Unit
from goldsmith.train.loss import LossOut, bradley_terry_loss, plackett_luce_loss

SHOWN = ("accuracy", "margin_mean", "reward_mean")
"""Metrics of a step that are kept beside its loss."""


def units_loss(reward_U: Sequence[torch.Tensor], units: Sequence[Unit], *, center: float, total_weight: float) -> LossOut:
    """Return the loss of a piece of a step: of its pairs together, plus each of its ranked lists.

    Args:
        reward_U: for each unit the rewards of its replies.
        units: the units.
        center: weight of reward centring, of pairs.
        total_weight: summed weight of the whole step.
    """
    found: list[tuple[int, LossOut]] = []
    pairs = [(reward, unit) for reward, unit in zip(reward_U, units, strict=True) if not unit.ranks]
    if pairs:
        device = pairs[0][0].device

        def column(name: str) -> torch.Tensor:
            return torch.tensor([value for _, unit in pairs for value in getattr(unit, name)], dtype=torch.float32, device=device)

        out = bradley_terry_loss(
            torch.cat([reward[list(unit.chosen)] for reward, unit in pairs]),
            torch.cat([reward[list(unit.rejected)] for reward, unit in pairs]),
            column("weights"),
            required_margin_B=column("margins") if any(any(unit.margins) for _, unit in pairs) else None,
            target_B=column("targets") if any(target != 1.0 for _, unit in pairs for target in unit.targets) else None,
            center=center,
            total_weight=total_weight,
        )
        found.append((sum(unit.size for _, unit in pairs), out))
    for reward, unit in zip(reward_U, units, strict=True):
        if unit.ranks:
            found.append((unit.size, plackett_luce_loss(reward, unit.ranks, unit.weights[0], total_weight=total_weight)))
    count = sum(size for size, _ in found)
    metrics = {name: sum(size * out.metrics[name] for size, out in found) / count for name in SHOWN}
    return LossOut(loss=torch.stack([out.loss for _, out in found]).sum(), metrics=metrics)


def not_finite(reward: torch.Tensor, unit: Unit) -> list[str]:
    """Return the names of the pairs (or of the list) of a unit that have a reward or a weight that is not finite."""
    values = [math.isfinite(value) for value in reward.tolist()]
    if unit.ranks:
        return [] if all(values) and math.isfinite(unit.weights[0]) else list(unit.pair_ids)
    rows = zip(unit.pair_ids, unit.chosen, unit.rejected, unit.weights, strict=True)
    return [name for name, one, other, weight in rows if not (values[one] and values[other] and math.isfinite(weight))]
