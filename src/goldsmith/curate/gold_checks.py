"""What is wrong with gold or a judge is said before a stack rests on it; where nothing can be learnt, nothing is changed.

Every statement names its figure. Safe behaviour: a judge that does not beat chance on gold counts for nothing, and without a stack (or
under `article` and `paper` a gold RM) that beats chance on held-out gold every label stays as it came.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from goldsmith.curate.evidence import FIRST, NONE
from goldsmith.curate.follows_length import LengthSums
from goldsmith.curate.stack import INPUTS, Fitted, Gold, fit_stack
from goldsmith.evaluate.statistics import wilson

FEWEST = 20
"""Gold pairs of train and validation below which no stack is fitted."""
ALONE_ABOVE = 12
"""So many gold pairs of one side only cannot be chance: 2 to the minus 11 for fair sides."""
LABELS_WORSE_ABOVE = 0.5
"""Gold that disagrees with more of the labels than this says that labels, or gold, are the wrong way round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A stack, or the reason why there is none.

    Attributes:
        fitted: None when labels have to stay as they came.
        statements: sentences for people, the most serious first.
        facts: figures for the report.
    """

    fitted: Fitted | None
    statements: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)


def fit_checked(known: Gold, seed: int, skip: Collection[str] = ()) -> Checked:
    """Return the stack of gold pairs if gold allows one.

    Args:
        known: gold train and validation without ties, each pair once.
        seed: of the folds.
        skip: as for `fit_stack`.
    """
    refused = refusal(known)
    if refused:
        return Checked(fitted=None, statements=[f"{refused}; every label stays as it came"], facts={"gold_pairs": len(known)})
    statements: list[str] = []
    known = without_useless_judge(known, statements)
    fitted = fit_stack(known, seed, skip)
    right = ((fitted.held_out > 0.5) == (known.truth == FIRST)) & (fitted.held_out != 0.5)
    low, high = wilson(int(right.sum()), len(known)) or (0.0, 1.0)
    facts = _facts(known, fitted, low, high)
    if low <= 0.5 or fitted.log_loss >= np.log(2.0):
        statements.insert(0, no_better_than_a_coin(fitted.accuracy, low, high, len(known)))
        return Checked(fitted=None, statements=statements, facts=facts)
    statements += warnings(known)
    return Checked(fitted=fitted, statements=statements, facts=facts)


def no_better_than_a_coin(right: float, low: float, high: float, count: int) -> str:
    """Return what is said where held-out gold is not predicted; shares in [0, 1]."""
    told = f"on held-out gold everything together is right in {100 * right:.1f} % ({100 * low:.1f} to {100 * high:.1f} %) of {count} pairs, which is no better than a coin"
    return f"{told}: gold contradicts itself, or nothing here predicts it; every label stays as it came"


def warnings(known: Gold) -> list[str]:
    """Return what is to be said of labels that gold contradicts and of models that follow length."""
    return [text for text in (_reversed(known), *_lengths(known)) if text]


def refusal(known: Gold) -> str | None:
    """Return why nothing can be calibrated on this gold; None where it can."""
    if len(known) < FEWEST:
        return f"gold has {len(known)} decided pairs outside its audit part; {FEWEST} are needed before probabilities can be calibrated on them"
    if len(set(known.contexts)) < 5:
        return f"the {len(known)} gold pairs come from only {len(set(known.contexts))} prompts; at least 5 are needed to hold some out"
    num_first = int((known.truth == FIRST).sum())
    if num_first in (0, len(known)) and len(known) > ALONE_ABOVE:
        side = "first" if num_first else "second"
        return f"gold has one class: people prefer the reply stored as '{side}' in all {len(known)} pairs, which a fair order of replies never gives; see how the file was made"
    return None


def gold_rm_refusal(known: Gold) -> str | None:
    """Return why the gold RM may decide nothing under the rules `article` and `paper`; None where it may.

    These rules reverse or drop whatever the gold RM disagrees with, so one that tosses a coin spoils half of the labels.

    Args:
        known: gold train and validation, with margins of gold RMs that did not see a pair's context.
    """
    refused = refusal(known)
    if refused:
        return refused
    right = int((((known.gold > 0) == (known.truth == FIRST)) & (known.gold != 0)).sum())
    low, high = wilson(right, len(known)) or (0.0, 1.0)
    if low > 0.5:
        return None
    return (
        f"on held-out gold the gold RM is right in {100 * right / len(known):.1f} % ({100 * low:.1f} to {100 * high:.1f} %) of {len(known)} pairs, "
        "which is not clearly better than a coin: gold contradicts itself, or there is too little of it to learn from"
    )


def without_useless_judge(known: Gold, statements: list[str]) -> Gold:
    """Return the same gold without the judges' opinions when these do not beat chance, which is added to the statements."""
    said = ~np.isnan(known.judged_p) & (known.judged_p != 0.5)
    if not said.any():
        return known
    right = int(((known.judged_p > 0.5) == (known.truth == FIRST))[said].sum())
    low, high = wilson(right, int(said.sum())) or (0.0, 1.0)
    if low > 0.5:
        return known
    statements.append(
        f"the judges are at chance: right in {right} of {int(said.sum())} gold pairs ({100 * low:.1f} to {100 * high:.1f} %); their opinions count for nothing"
    )
    return dataclasses.replace(known, judged_p=np.full(len(known), np.nan))


def _reversed(known: Gold) -> str | None:
    had = known.label != NONE
    wrong = int((known.label != known.truth)[had].sum())
    low, _ = wilson(wrong, int(had.sum())) or (0.0, 1.0)
    if low <= LABELS_WORSE_ABOVE:
        return None
    return f"gold says the opposite of {wrong} of {int(had.sum())} labels: more than half of the labels are wrong, or gold is the wrong way round"


def _lengths(known: Gold) -> list[str | None]:
    return [
        LengthSums.of(margin, known.differs.length).warning(name)
        for name, margin in (("the best RM", known.best), ("the gold RM", known.gold))
    ]


def _facts(known: Gold, fitted: Fitted, low: float, high: float) -> dict[str, Any]:
    stack = fitted.stack
    alone = {
        name: float(((margin > 0) == (known.truth == FIRST)).mean())
        for name, margin in (("best RM", known.best), ("gold RM", known.gold))
    }
    had = known.label != NONE
    if had.any():
        alone["label"] = float((known.label == known.truth)[had].mean())
    return {
        "gold_pairs": len(known),
        "accuracy": fitted.accuracy,
        "low": low,
        "high": high,
        "log_loss": fitted.log_loss,
        "l2": fitted.l2,
        "weights": dict(zip(INPUTS, stack.weight, strict=True)),
        "alone": alone,
        "label_noise": None if stack.label is None else stack.label.to_dict() | {"when_better_is_half_as_long": stack.label.wrong_at(-np.log(2.0)), "when_better_is_twice_as_long": stack.label.wrong_at(np.log(2.0))},
        "judge_noise": None if stack.judges is None else stack.judges.to_dict(),
    }  # fmt: skip
