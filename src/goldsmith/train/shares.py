"""Which units of a step which process computes, in which pieces: a pure function, so every process knows it of all without asking."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from goldsmith.train.batches import Unit, split_by_tokens


class Piece(NamedTuple):
    """Units of one forward and backward pass.

    Attributes:
        positions: in the step.
        counts: False for a piece of weight zero, computed for the sake of what the processes do together.
    """

    positions: list[int]
    counts: bool = True


def share(units: Sequence[Unit], size: int) -> list[list[int]]:
    """Return for each of `size` processes the positions of its units, in order: about equal tokens, some without any unit.

    The largest unit left goes to the process with the fewest tokens, so none has more than 4/3 of the least possible (Graham, 1969).
    """
    if size == 1:
        return [list(range(len(units)))]
    loads = [0] * size
    shares: list[list[int]] = [[] for _ in range(size)]
    for position in sorted(range(len(units)), key=lambda at: (-units[at].group.tokens, at)):
        rank = min(range(size), key=lambda process: (loads[process], process))
        shares[rank].append(position)
        loads[rank] += units[position].group.tokens
    return [sorted(positions) for positions in shares]


def pieces(units: Sequence[Unit], budget: int, rank: int = 0, size: int = 1, *, even: bool = False) -> list[Piece]:
    """Return what process `rank` of `size` computes of a step.

    Args:
        units: of the step.
        budget: tokens of a piece, exceeded by a unit that alone holds more.
        rank: number of the process.
        size: number of processes.
        even: give every process as many pieces as the one with most; those added are the smallest unit with weight zero.
    """
    cut = [_cut(units, positions, budget) for positions in share(units, size)]
    mine = [Piece(positions) for positions in cut[rank]]
    if even:
        smallest = min(range(len(units)), key=lambda at: (units[at].group.tokens, at))
        mine += [Piece([smallest], counts=False)] * (max(map(len, cut)) - len(mine))
    return mine


def _cut(units: Sequence[Unit], positions: Sequence[int], budget: int) -> list[list[int]]:
    chosen = [units[position] for position in positions]
    return [[positions[place] for place in places] for places in split_by_tokens(chosen, budget)]
