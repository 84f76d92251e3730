"""A joint estimate with what gold says of it: refused where gold carries none, measured on gold that was hidden from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from goldsmith.curate.evidence import FIRST
from goldsmith.curate.gold_checks import no_better_than_a_coin, refusal, warnings, without_useless_judge
from goldsmith.curate.joint import Joint, fit_joint
from goldsmith.curate.stack import Gold
from goldsmith.curate.surface import Surface
from goldsmith.evaluate.statistics import wilson

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

PARTS = 3
"""Parts of gold, each hidden once to see how well it is predicted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Everything:
    """What is known of N pairs, for the joint estimate; arrays have shape [N].

    Attributes:
        differences: features of `first` minus those of `second`, [N, D].
        contexts: context ids.
        label: the label as it came: 1 for `first`, 0 for `second`, NaN for none.
        judged_p: the judges' probability that `first` wins; NaN where they said nothing.
        human: people's label on gold train and validation, as `label`; NaN elsewhere.
        differs: length and formatting.
        model_p: a reward model's probability that `first` wins, where one was brought along: one more source that errs in its own way.
    """

    differences: Floats
    contexts: Sequence[str]
    label: Floats
    judged_p: Floats
    human: Floats
    differs: Surface
    model_p: Floats | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedJoint:
    """An estimate, or the reason why there is none; statements and facts as in `gold_checks.Checked`."""

    joint: Joint | None
    statements: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)


def fit_joint_checked(known: Everything, gold: Gold, seed: int, folds: int) -> CheckedJoint:
    """Return the joint estimate if gold allows one.

    Args:
        known: all pairs.
        gold: the gold pairs among them, with both models' margins, for what is to be said of these.
        seed: of the folds.
        folds: parts of the contexts.
    """
    refused = refusal(gold)
    if refused:
        return CheckedJoint(joint=None, statements=[f"{refused}; every label stays as it came"], facts={"gold_pairs": len(gold)})
    statements: list[str] = []
    gold = without_useless_judge(gold, statements)
    if np.isnan(gold.judged_p).all() and not np.isnan(known.judged_p).all():
        statements += [] if statements else ["no gold pair has a judgement, so the judges' opinions count for nothing"]
        known = dataclasses.replace(known, judged_p=np.full(len(known.human), np.nan))
    held_out, truth = _held_out(known, seed, folds)
    right = (held_out > 0.5) == truth
    low, high = wilson(int(right.sum()), len(right)) or (0.0, 1.0)
    log_loss = float(-np.mean(np.log(np.where(truth, held_out, 1.0 - held_out))))
    facts: dict[str, Any] = {
        "gold_pairs": len(right),
        "accuracy": float(right.mean()),
        "low": low,
        "high": high,
        "log_loss": log_loss,
    }
    if low <= 0.5 or log_loss >= np.log(2.0):
        statements.insert(0, no_better_than_a_coin(float(right.mean()), low, high, len(right)))
        return CheckedJoint(joint=None, statements=statements, facts=facts)
    found = _fit(known, known.human, seed, folds)
    return CheckedJoint(joint=found, statements=[*statements, *warnings(gold)], facts=facts | _facts(found, gold))


def _fit(known: Everything, human: Floats, seed: int, folds: int) -> Joint:
    sources = {"label": known.label, "judges": known.judged_p} | ({} if known.model_p is None else {"model": known.model_p})
    return fit_joint(known.differences, known.contexts, sources, human, known.differs, seed, folds=folds)


def _held_out(known: Everything, seed: int, folds: int) -> tuple[Floats, NDArray[np.bool_]]:
    """Probability that `first` is better, and whether people say so, of gold pairs whose part of gold was hidden."""
    from goldsmith.reward.head import assign_folds

    places = np.flatnonzero(~np.isnan(known.human))
    part_of = assign_folds([known.contexts[at] for at in places.tolist()], PARTS, seed)
    p_first = np.full(len(places), 0.5)
    for part in range(int(part_of.max()) + 1):
        human = known.human.copy()
        human[places[part_of == part]] = np.nan
        p_first[part_of == part] = _fit(known, human, seed, folds).p_first[places[part_of == part]]
    return p_first, known.human[places] > 0.5


def _facts(found: Joint, gold: Gold) -> dict[str, Any]:
    told: Mapping[str, Any] = {
        name: one.to_dict() | {"when_better_is_half_as_long": one.wrong_at(-np.log(2.0)), "when_better_is_twice_as_long": one.wrong_at(np.log(2.0))}
        for name, one in found.transitions.items()
    }  # fmt: skip
    alone = {
        name: float(((margin > 0) == (gold.truth == FIRST)).mean())
        for name, margin in (("best RM", gold.best), ("gold RM", gold.gold))
    }
    return {
        "rounds": found.rounds, "alone": alone, "surface": dict(zip(("length", "format"), found.surface, strict=True)),
        "label_noise": told.get("label"), "judge_noise": told.get("judges"),
    }  # fmt: skip
