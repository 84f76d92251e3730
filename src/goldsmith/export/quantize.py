"""Weights as small integers, by our own arithmetic: one scale an output channel, or one for each block of a row.

Symmetric: `weight = integer * scale`. The integers of a row use its own largest magnitude, so a wide row does not spoil its neighbours.
Shapes: N outputs, K inputs, C blocks of a row.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from goldsmith.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Integers:
    """A quantised weight.

    Attributes:
        values: int8 [N, C, block], the last block padded with zeros.
        scale: float32 [N, C].
        columns: K.
    """

    values: NDArray[np.int8]
    scale: Floats
    columns: int

    def floats(self) -> Floats:
        """Return the weight it stands for, float32 [N, K]."""
        whole = self.values.astype(np.float32) * self.scale[:, :, None]
        return np.ascontiguousarray(whole.reshape(len(whole), -1)[:, : self.columns])


def quantize(weight: Floats, *, bits: int, block: int | None = None) -> Integers:
    """Return a weight as integers in [-(2^(bits-1) - 1), 2^(bits-1) - 1].

    Args:
        weight: float32 [N, K].
        bits: 2 to 8.
        block: inputs that share a scale; none: the whole row.
    """
    rows, columns = weight.shape
    block = block or columns
    count = -(-columns // block)
    padded = np.zeros((rows, count * block), np.float32)
    padded[:, :columns] = weight
    parts = padded.reshape(rows, count, block)
    most = float(2 ** (bits - 1) - 1)
    scale = np.abs(parts).max(axis=2) / most
    # A row of zeros has no scale of its own; any other one gives zeros back.
    scale = np.where(scale > 0, scale, 1.0).astype(np.float32)
    values = np.clip(np.rint(parts / scale[:, :, None]), -most, most).astype(np.int8)
    return Integers(values=values, scale=scale, columns=columns)


def kept_float(names: Sequence[str], ignore: Iterable[str]) -> set[str]:
    """Return the names of linear maps that stay in float.

    Args:
        names: of all linear maps, `model.layers.0.mlp.down_proj` for instance.
        ignore: patterns with `*`, matched against the whole name.

    Raises:
        UserError: a pattern matches none, so what it was meant to protect would be quantised.
    """
    found: set[str] = set()
    for pattern in ignore:
        matched = set(fnmatch.filter(names, pattern))
        if not matched:
            raise UserError(
                f"--ignore {pattern!r} matches no linear map, so nothing would be kept in float; they are called like {names[0]} and "
                f"{names[-1]} (the head is never quantised)"
            )
        found |= matched
    return found
