"""The many ways in which files write down which response won."""

from __future__ import annotations

from typing import Any

from goldsmith.judge.recorded.rows import OTHER, RowPair
from goldsmith.pool.sources.draft import Reject
from goldsmith.types import Label

ONE = frozenset({"1", "1.0", "a", "[[a]]", "a>b", "a>>b", "model_a", "model_1", "response_1", "output_1"})
TWO = frozenset({"2", "2.0", "b", "[[b]]", "b>a", "b>>a", "model_b", "model_2", "response_2", "output_2"})
TIE = frozenset({"0", "0.0", "1.5", "c", "[[c]]", "a=b", "b=a", "tie", "both_bad", "tie (bothbad)", "tie (inconsistent)"})
NO_CHOICE = "no-choice"
"""The failure of a recorded verdict that names no winner and no tie: null, an error mark, garbage."""


def label_of(value: Any, pair: RowPair, *, reversed_order: bool = False) -> Label | None:
    """Return the side a recorded value means, `tie`, or None when it names neither.

    Numbers and letters name the row's responses; `chosen` and `rejected` what the row calls so; `first` and `second` the pair's own sides.

    Args:
        value: text or number.
        pair: what the row is about.
        reversed_order: A and 1 stood for response 2 when this was judged, and were not put back.

    Raises:
        Reject: the value numbers responses and the row does not, or the other way round.
    """
    text = str(value).strip().casefold() if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
    if text in TIE:
        return "tie"
    if text in ("first", "second"):
        return "first" if text == "first" else "second"
    if text in ("chosen", "rejected"):
        if pair.chosen is None:
            raise Reject("no-chosen-reply", "the row calls neither response chosen")
        return pair.chosen if text == "chosen" else OTHER[pair.chosen]
    if text in ONE or text in TWO:
        if pair.one is None:
            raise Reject(
                "responses-not-numbered", f"{text!r} numbers responses, which this row does not; use chosen and rejected"
            )
        return pair.one if (text in ONE) != reversed_order else OTHER[pair.one]
    return None


def label_of_preference(value: Any, pair: RowPair) -> Label | None:
    """Return what AlpacaEval's `preference` means: 1 to 2 towards output 2, 0 or 1.5 a tie, anything else no choice."""
    assert pair.one is not None
    if isinstance(value, bool) or not isinstance(value, int | float) or not (value == 0 or 1 <= value <= 2):
        return None
    if value in (0, 1.5):
        return "tie"
    return OTHER[pair.one] if value > 1.5 else pair.one
