"""Where keeping and flipping begin: bars on probabilities, chosen by what the probabilities themselves promise, without any truth.

`keep_precision = 0.95` keeps the largest set of the surest labels whose mean probability of being right is 0.95. A fixed bar on each pair's
probability says nothing of the set above it: where most labels are sure, it is far purer than the bar, and where few are, barely.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from goldsmith.config.curate import CurateConfig

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """A label is kept when its probability is above `keep`, and flipped when the other side's is above `flip`; both in [0.5, 1]."""

    keep: float
    flip: float


def bars_of(p_first: Floats, label: Floats, config: CurateConfig) -> Bars:
    """Return the bars of a pool: by the promised precisions where these are set.

    Args:
        p_first: probability that `first` is better [N].
        label: 1 for `first`, 0 for `second`, NaN for neither [N].
        config: the rules.
    """
    decided = ~np.isnan(label)
    right = np.where(label > 0.5, p_first, 1.0 - p_first)[decided]
    return Bars(
        keep=config.sure_above if config.keep_precision is None else promising(right, config.keep_precision),
        flip=config.sure_above if config.flip_precision is None else promising(1.0 - right, config.flip_precision),
    )


def promising(belief: Floats, precision: float) -> float:
    """Return the lowest bar so that the beliefs above it have a mean of at least `precision`; never below 0.5, and 1 where none has.

    Args:
        belief: probabilities [N].
        precision: in [0.5, 1).
    """
    ranked = np.sort(np.asarray(belief, dtype=np.float64))[::-1]
    reaches = (np.cumsum(ranked) / np.arange(1, len(ranked) + 1) >= precision) & (ranked > 0.5)
    if not reaches.any():
        return 1.0
    last = int(np.flatnonzero(reaches)[-1])
    below = ranked[ranked < ranked[last]]
    # Half way to the next belief, so that rounding of the beliefs, which are computed again part by part, moves no pair across.
    return max(0.5, float(ranked[last] + below[0]) / 2.0) if len(below) else 0.5
