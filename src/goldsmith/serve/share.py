"""Which sequences of a batch share a beginning that is worth computing once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from goldsmith.reward.packing import Group

Ids = tuple[int, ...]


def common_length(one: Ids, other: Ids) -> int:
    """Return the number of leading tokens two sequences share, by bisection on slices."""
    low, high = 0, min(len(one), len(other))
    if one[:high] == other[:high]:
        return high
    while high - low > 1:
        middle = (low + high) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle
    return low


def group_sequences(sequences: Sequence[Ids]) -> list[Group]:
    """Return groups of distinct sequences, each with the beginning that its members share; `rows` are places in `sequences`.

    Sorted, sequences that share most stand side by side. A run of them is one group when computing its shared beginning once saves more
    tokens than the best division of the run where its neighbours share least. Every suffix has at least one token.
    """
    order = sorted(range(len(sequences)), key=lambda row: sequences[row])
    shared = [_shared(sequences[one], sequences[other]) for one, other in pairwise(order)]
    groups: list[Group] = []
    for first, last in _runs(shared, len(order)):
        rows = order[first : last + 1]
        length = min(shared[first:last], default=0)
        suffixes = tuple(sequences[row][length:] for row in rows)
        groups.append(Group(prefix=sequences[rows[0]][:length], suffixes=suffixes, starts=(0,) * len(rows), rows=tuple(rows)))
    return groups


def _shared(one: Ids, other: Ids) -> int:
    return min(common_length(one, other), len(one) - 1, len(other) - 1)


def _runs(shared: Sequence[int], count: int) -> list[tuple[int, int]]:
    """Return the runs (first, last) that save most, in order."""
    return _best(shared, 0, count - 1)[1] if count else []


def _best(shared: Sequence[int], first: int, last: int) -> tuple[int, list[tuple[int, int]]]:
    if first == last:
        return 0, [(first, last)]
    least = min(range(first, last), key=lambda index: (shared[index], index))
    left, right = _best(shared, first, least), _best(shared, least + 1, last)
    together = (last - first) * shared[least]
    if together and together >= left[0] + right[0]:
        return together, [(first, last)]
    return left[0] + right[0], left[1] + right[1]
