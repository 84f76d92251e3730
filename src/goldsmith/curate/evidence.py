"""What is known of many pairs' labels, as arrays: the input of every stage 2 rule."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Codes = NDArray[np.int8]
    Floats = NDArray[np.float64]

SIDES = ("first", "second", "tie")
"""A label's code is its place here."""
FIRST, SECOND, TIE, NONE = 0, 1, 2, -1
"""`NONE`: nobody said anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What labels and judges say of N pairs without any model's margin: what a model can learn that is not to hear itself.

    Attributes:
        together: the probability that `first` wins by all of them, each under its noise, if nothing else is known, [N].
        trusted: what the one says that people agree with most often, as it is: 1 for `first`, 0 for `second`; of a pair it says nothing
            of, what the next one does; NaN where none does, [N].
    """

    together: Floats
    trusted: Floats

    def of(self, rows: NDArray[np.bool_]) -> Said:
        """Return the pairs of a mask."""
        return Said(together=self.together[rows], trusted=self.trusted[rows])


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known of N pairs; all arrays have shape [N].

    Attributes:
        label: the label so far, `FIRST`, `SECOND` or `TIE`, int8.
        best: best RM's probability that `first` wins, in [0, 1], float64.
        gold: the gold RM's.
        judged: the LLMs' choice, `FIRST` or `SECOND`; `NONE` where they were not asked, may not be used, or did not decide.
        judged_p: their probability that `first` wins; NaN where no verdict of theirs can be used.
        human: people's label; `NONE` where they did not see the pair.
        stack: the probability that `first` wins, from everything together (`curate.stack`); None when it was not computed.
        sources: what label and judges alone say; None likewise.
    """

    label: Codes
    best: Floats
    gold: Floats
    judged: Codes
    judged_p: Floats
    human: Codes
    stack: Floats | None = None
    sources: Said | None = None

    def __len__(self) -> int:
        return len(self.label)


def codes(labels: Iterable[str | None]) -> Codes:
    """Return the codes of labels, int8 [N]; None becomes `NONE`.

    Raises:
        KeyError: a label is none of `SIDES`.
    """
    of: dict[str | None, int] = {side: code for code, side in enumerate(SIDES)}
    of[None] = NONE
    return np.array([of[label] for label in labels], dtype=np.int8)


def p_of(label: Codes) -> Floats:
    """Return 1 for `FIRST`, 0 for `SECOND`, NaN for anything else, float64 [N]."""
    return np.where(label == FIRST, 1.0, np.where(label == SECOND, 0.0, np.nan))


def sign(label: Codes) -> Floats:
    """Return +1 for `FIRST`, -1 for `SECOND`, 0 for anything else, float64 [N]."""
    return np.where(label == FIRST, 1.0, np.where(label == SECOND, -1.0, 0.0))


def on_side(p_first: Floats, label: Codes) -> Floats:
    """Return the probability of the label's side, given that of `first`, shape [N]."""
    return np.where(label == SECOND, 1.0 - p_first, p_first)


def from_margins(margin: ArrayLike) -> Floats:
    """Return sigmoid(margin), shape [N]; exact for large margins of either sign."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * np.asarray(margin, dtype=np.float64))), dtype=np.float64)


def evidence(
    label: Sequence[str],
    best_margin: ArrayLike,
    gold_margin: ArrayLike,
    judged: Sequence[str | None] | None = None,
    judged_p: Sequence[float | None] | None = None,
    human: Sequence[str | None] | None = None,
    stack: ArrayLike | None = None,
) -> Evidence:
    """Return the evidence of plain columns.

    Args:
        label: `first`, `second` or `tie` of each pair.
        best_margin: the best RM's reward of `first` minus that of `second`, in logits.
        gold_margin: the gold RM's.
        judged: the LLMs' choice (`first`, `second`) or None; none: no pair was judged.
        judged_p: the LLMs' probability that `first` wins, or None.
        human: people's label, or None.
        stack: the probability that `first` wins from everything together.

    Raises:
        ValueError: the columns differ in length, a margin is not finite, or a probability is not in [0, 1].
    """
    count = len(label)
    best, gold = np.asarray(best_margin, dtype=np.float64), np.asarray(gold_margin, dtype=np.float64)
    absent: list[None] = [None] * count
    told = np.array([np.nan if value is None else value for value in (judged_p or absent)], dtype=np.float64)
    found = Evidence(
        label=codes(label), best=from_margins(best), gold=from_margins(gold), judged=codes(judged or absent), judged_p=told,
        human=codes(human or absent), stack=None if stack is None else np.asarray(stack, dtype=np.float64),
    )  # fmt: skip
    _check(found, best, gold)
    return found


def _check(found: Evidence, best: Floats, gold: Floats) -> None:
    columns: dict[str, NDArray[Any]] = {
        "best_margin": best,
        "gold_margin": gold,
        "judged": found.judged,
        "judged_p": found.judged_p,
        "human": found.human,
    }
    if found.stack is not None:
        columns["stack"] = found.stack
    for name, values in columns.items():
        if values.shape != (len(found),):
            raise ValueError(f"{name} has shape {values.shape}, expected ({len(found)},): one value for each label")
    for name, values in (("best_margin", best), ("gold_margin", gold)):
        if not np.isfinite(values).all():
            raise ValueError(
                f"{name} of row {int(np.flatnonzero(~np.isfinite(values))[0])} is not finite; a failed score is no score"
            )
    for name in ("judged_p", "stack"):
        values = columns.get(name, np.empty(0))
        if ((values < 0) | (values > 1)).any():
            raise ValueError(f"{name} lies outside 0 to 1 in row {int(np.flatnonzero((values < 0) | (values > 1))[0])}")
