"""The rules of stage 2, as pure functions: keep, relabel, flip or drop one pair (spec 5, contracts: stage 2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from goldsmith.config.curate import CurateConfig
from goldsmith.types import Decision, Side

FLIPPED: dict[Side, Side] = {"first": "second", "second": "first"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinions:
    """What is known of one pair's label.

    Attributes:
        pair_id: the pair.
        label: its label so far.
        p_first_best: best RM's probability that `first` wins, in [0, 1].
        p_first_gold: the gold RM's.
        judged: the LLMs' choice; None when they were not asked, or may not be used, or did not decide.
        p_first_judged: their probability that `first` wins; None when no verdict of theirs can be used.
        human: the gold label; None when people did not see the pair.
    """

    pair_id: str
    label: Literal["first", "second", "tie"]
    p_first_best: float
    p_first_gold: float
    judged: Side | None = None
    p_first_judged: float | None = None
    human: Literal["first", "second", "tie"] | None = None


def needs_judgement(label: Side, p_first_best: float, confident_above: float) -> bool:
    """Return whether the best RM is too unsure of the label for it to stand without an LLM (spec 5.1)."""
    return not probability(label, p_first_best) > confident_above


def decide(opinions: Opinions, config: CurateConfig) -> Decision:
    """Return what becomes of a pair.

    A human label stands. Otherwise the candidate label is the LLM's where the best RM was unsure and the LLM decided, and
    the original one everywhere else; it is kept when the keep rule agrees, else the original label is recycled reversed.
    """
    if opinions.human is not None:
        return _by_human(opinions, opinions.human)
    if opinions.label == "tie":
        return _decision(opinions, "drop", "tie", "tie", "a tie is never trained on")
    original: Side = opinions.label
    unsure = needs_judgement(original, opinions.p_first_best, config.confident_above)
    candidate = opinions.judged if unsure and opinions.judged else original
    rule = f"{config.keep_rule}-keep"
    if keeps(candidate, opinions, config.keep_rule):
        action: Literal["keep", "relabel"] = "keep" if candidate == original else "relabel"
        return _decision(
            opinions,
            action,
            candidate,
            rule,
            "confident" if not unsure else ("judged" if opinions.judged else "unsure, no judgement"),
        )
    flipped = FLIPPED[original]
    if config.recycle == "all" or (config.recycle == "consistent" and is_consistent(flipped, opinions)):
        return _decision(opinions, "flip", flipped, f"recycle-{config.recycle}", f"failed {rule}")
    return _decision(opinions, "drop", original, f"recycle-{config.recycle}", f"failed {rule}")


def keeps(label: Side, opinions: Opinions, rule: Literal["article", "paper"]) -> bool:
    """Return whether the keep rule lets a label pass.

    `article`: the gold RM agrees. `paper`: the gold RM agrees, and the LLM judgement or the best RM does.
    """
    if not agrees(label, opinions.p_first_gold):
        return False
    return rule == "article" or opinions.judged == label or agrees(label, opinions.p_first_best)


def is_consistent(label: Side, opinions: Opinions) -> bool:
    """Return whether the gold RM and one of the other two judges support a label."""
    return agrees(label, opinions.p_first_gold) and (agrees(label, opinions.p_first_best) or opinions.judged == label)


def agrees(label: Side, p_first: float) -> bool:
    """Return whether a model strictly prefers the label's side."""
    return probability(label, p_first) > 0.5


def probability(label: Side, p_first: float) -> float:
    """Return the probability of the label's side, given that of `first`."""
    return p_first if label == "first" else 1.0 - p_first


def _by_human(opinions: Opinions, human: Literal["first", "second", "tie"]) -> Decision:
    if human == "tie":
        return _decision(opinions, "drop", "tie", "human", "people call it a tie")
    action: Literal["keep", "relabel"] = "keep" if human == opinions.label else "relabel"
    return _decision(opinions, action, human, "human", "gold")


def _decision(
    opinions: Opinions,
    action: Literal["keep", "relabel", "flip", "drop"],
    label: Literal["first", "second", "tie"],
    rule: str,
    reason: str,
) -> Decision:
    judges = {
        "best": opinions.p_first_best,
        "gold": opinions.p_first_gold,
        "llm": opinions.judged,
        "llm_p_first": opinions.p_first_judged,
        "human": opinions.human,
    }
    return Decision(
        pair_id=opinions.pair_id,
        action=action,
        label_before=opinions.label,
        label_after=label,
        p_first=opinions.p_first_best,
        rule=rule,
        judges=judges,
        reason=reason,
    )
