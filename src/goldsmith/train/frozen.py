"""What the frozen lower layers make of each training unit: computed once, kept in memory, used in every epoch.

The batches in which it is computed depend on the units alone, not on the steps, so a resumed run sees the same numbers to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from goldsmith.reward import trunk as trunks
from goldsmith.train.batches import Unit

MAX_BYTES = 2 << 30
"""States that would need more memory are not kept; each step then runs the lower layers itself."""


class FrozenStates:
    """Hidden states below the first trained layer, unpadded: of each unit's prefix [P, D] and of each reply's suffix [S, D]."""

    def __init__(
        self,
        lower: Any,
        units: Sequence[Unit],
        *,
        pad_id: int,
        token_budget: int,
        device: Any,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Run the lower layers on every unit.

        Args:
            lower: the lower part of a split trunk.
            units: all training units.
            pad_id: for padded tensors.
            token_budget: tokens of a forward pass.
            device: where the model is.
            progress: called with (units done, units in all).
        """
        self._prefix: list[Tensor | None] = [None] * len(units)
        self._suffix: list[list[Tensor]] = [[torch.empty(0)] * len(unit.replies) for unit in units]
        offsets = row_offsets(units)
        number_of = {
            row: (number, row - offset)
            for number, offset in enumerate(offsets)
            for row in range(offset, offset + len(units[number].replies))
        }
        groups = shifted_groups(units, offsets)
        done = 0
        for planned in trunks.plan_batches(groups, token_budget):
            batch = trunks.collate(planned, pad_id, token_budget, device)
            with torch.no_grad():
                states = trunks.run_trunk(lower, batch)
            for index, group in enumerate(planned):
                if states.prefix is not None:
                    self._prefix[number_of[group.rows[0]][0]] = states.prefix[index, : len(group.prefix)].clone()
            for part, state_RSD in zip(batch.parts, states.parts, strict=True):
                for index, row in enumerate(part.rows):
                    number, reply = number_of[row]
                    self._suffix[number][reply] = state_RSD[index, : int(part.last_R[index]) + 1].clone()
            done += len(planned)
            if progress:
                progress(done, len(units))

    def inputs(self, batch: trunks.Batch, numbers: Sequence[int], places: Sequence[tuple[int, int]]) -> trunks.States:
        """Return the padded states of a batch, to begin the upper layers with.

        Args:
            batch: made of the groups of some units, in order.
            numbers: those units' numbers.
            places: for each row of the batch its unit's number and its reply's index.
        """
        prefix = None
        if batch.prefix_CP.shape[1]:
            prefix = _padded([self._prefix[number] for number in numbers], batch.prefix_CP.shape[1])
        parts = [
            _padded([self._suffix[places[row][0]][places[row][1]] for row in part.rows], part.ids_RS.shape[1])
            for part in batch.parts
        ]
        return trunks.States(prefix=prefix, parts=parts)


def fits_in_memory(units: Sequence[Unit], hidden: int) -> bool:
    """Whether the float32 states of all units stay within `MAX_BYTES`."""
    return sum(unit.group.tokens for unit in units) * hidden * 4 <= MAX_BYTES


def row_offsets(units: Sequence[Unit]) -> list[int]:
    """Return the first row of each unit when their replies are numbered through."""
    offsets = [0]
    for unit in units:
        offsets.append(offsets[-1] + len(unit.replies))
    return offsets[:-1]


def shifted_groups(units: Sequence[Unit], offsets: Sequence[int]) -> list[trunks.Group]:
    """Return the units' groups with their rows numbered through."""
    return [
        trunks.Group(unit.group.prefix, unit.group.suffixes, unit.group.starts, tuple(offset + row for row in unit.group.rows))
        for unit, offset in zip(units, offsets, strict=True)
    ]


def _padded(states: Sequence[Tensor | None], longest: int) -> Tensor:
    rows = [state for state in states if state is not None]
    padded = rows[0].new_zeros((len(rows), longest, rows[0].shape[1]))
    for index, state in enumerate(rows):
        padded[index, : len(state)] = state
    return padded
