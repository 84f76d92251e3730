"""What the frozen lower layers make of each training unit: computed once, kept in memory, used in every epoch.

The batches in which it is computed depend on the units alone, not on the steps, so a resumed run sees the same numbers to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from goldsmith.reward.packing import Batch, collate
from goldsmith.reward.trunk import run_trunk
from goldsmith.train.batches import Unit, split_by_tokens

MAX_BYTES = 2 << 30
"""States that would need more memory are not kept; each step then runs the lower layers itself."""


class FrozenStates:
    """Hidden states below the first trained layer: of a unit [N, D], its prefix and then its suffixes, without padding."""

    def __init__(
        self,
        lower: Any,
        units: Sequence[Unit],
        *,
        pad_id: int,
        packed: bool,
        token_budget: int,
        device: Any,
        wanted: Sequence[int] | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Run the lower layers on units.

        Args:
            lower: the lower part of a split trunk.
            units: all training units.
            pad_id: for padded tensors.
            packed: the trunk supports packing.
            token_budget: tokens of a forward pass.
            device: where the model is.
            wanted: numbers of the units that this process trains on; none: all.
            progress: called with (units done, units in all).
        """
        self._states: dict[int, Tensor] = {}
        wanted = range(len(units)) if wanted is None else wanted
        for places in split_by_tokens([units[number] for number in wanted], token_budget):
            numbers = [wanted[place] for place in places]
            groups = [units[number].group for number in numbers]
            batch = collate(groups, pad_id, packed=packed, device=device)
            with torch.no_grad():
                states_ND = batch.gather(run_trunk(lower, batch).last_hidden_state)
            parts = states_ND.split_with_sizes([group.tokens for group in groups])
            self._states |= {number: part.clone() for number, part in zip(numbers, parts, strict=True)}
            if progress:
                progress(len(self._states), len(wanted))

    def inputs(self, batch: Batch, numbers: Sequence[int]) -> Tensor:
        """Return the states of a batch, [B, L, D], to begin the upper layers with.

        Args:
            batch: made of the groups of some units, in order.
            numbers: those units' numbers.
        """
        return batch.spread(torch.cat([self._states[number] for number in numbers]))


def fits_in_memory(units: Sequence[Unit], hidden: int) -> bool:
    """Whether the float32 states of all units stay within `MAX_BYTES`."""
    return sum(unit.group.tokens for unit in units) * hidden * 4 <= MAX_BYTES
