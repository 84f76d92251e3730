"""The rules of stage 2 over arrays: keep, relabel, flip or drop any number of pairs at once (spec 5, contracts: stage 2).

A human label stands. Under the rules `article` and `paper` the candidate label is the LLM's where the best RM was unsure and the LLM
decided, and the original one everywhere else; it stays when the keep rule agrees, else the original label is recycled reversed. Under
`stack` and `joint` the probability from everything together decides (see `curate.stack`, `curate.joint`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from goldsmith.config.curate import CurateConfig
from goldsmith.curate.bars import Bars, bars_of
from goldsmith.curate.evidence import FIRST, NONE, SECOND, SIDES, TIE, Evidence, on_side, p_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from goldsmith.curate.evidence import Codes, Floats

    Bools = NDArray[np.bool_]

ACTIONS = ("keep", "relabel", "flip", "drop")
KEEP, RELABEL, FLIP, DROP = range(4)
HUMAN = "human"
MADE_BY = {"relabel": "llm", "flip": "rule"}
"""Origin of a label that an action put there, unless people did; every other label keeps its own."""
REASONS = (
    "gold",
    "people call it a tie",
    "a tie is never trained on",
    "confident",
    "judged",
    "unsure, no judgement",
    "failed article-keep",
    "failed paper-keep",
    "likely right",
    "likely wrong",
    "too close to call",
    "no stack could be fitted, so the label stays as it came",
    "no gold RM to go by, so the label stays as it came",
)
"""Why; a decision's reason is a place here."""
UNDECIDED = tuple(text for text in REASONS if text.endswith("stays as it came"))
"""Reasons of labels that nothing could be decided about."""
_REASON = {text: place for place, text in enumerate(REASONS)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """Decisions on N pairs; all arrays have shape [N].

    Attributes:
        action: place in `ACTIONS`, int8.
        label_after: code of the label a pair has now, int8.
        p_first: the probability that `first` wins, float64: the stack's where there is one, else the best RM's.
        rule: place in `rules`, int8.
        reason: place in `REASONS`, int8.
        rules: names of the rules.
    """

    action: Codes
    label_after: Codes
    p_first: Floats
    rule: Codes
    reason: Codes
    rules: tuple[str, ...]


def decide(known: Evidence, config: CurateConfig, bars: Bars | None = None, *, gold_stands: bool = True) -> Decided:
    """Return what becomes of every pair.

    Args:
        known: N pairs; `stack` set or not. Under `keep_rule = "stack"` or `"joint"` without it every label stays as it came, and says so.
        config: the rules.
        bars: where keeping and flipping begin under `stack` and `joint`; none: by the configuration, from these pairs alone.
        gold_stands: False when the gold RM may decide nothing (`gold_checks.gold_rm_refusal`): under `article` and `paper` every label
            then stays as it came, as a gold RM that knows nothing would reverse half of them.
    """
    rules = (HUMAN, f"{config.keep_rule}-keep", f"recycle-{config.recycle}", "tie")
    action, label_after, reason = _ruled(known, config, bars, gold_stands)
    rule = np.where((action == KEEP) | (action == RELABEL), 1, 2).astype(np.int8)
    rule[reason == _REASON["too close to call"]] = 1
    ties = known.label == TIE
    action[ties], label_after[ties], reason[ties], rule[ties] = DROP, TIE, _REASON["a tie is never trained on"], 3
    seen = known.human != NONE
    action[seen] = np.where(known.human[seen] == TIE, DROP, np.where(known.human[seen] == known.label[seen], KEEP, RELABEL))
    label_after[seen], rule[seen] = known.human[seen], 0
    reason[seen] = np.where(known.human[seen] == TIE, _REASON["people call it a tie"], _REASON["gold"])
    p_first = known.best if known.stack is None else known.stack
    return Decided(action=action, label_after=label_after, p_first=p_first, rule=rule, reason=reason, rules=rules)


def needs_judgement(known: Evidence, confident_above: float) -> Bools:
    """Return where the best RM is too unsure of a label for it to stand without an LLM (spec 5.1), shape [N]; ties never."""
    return np.asarray(~(on_side(known.best, known.label) > confident_above) & (known.label != TIE))


def agrees(p_first: Floats, label: Codes) -> Bools:
    """Return where a model strictly prefers the label's side, shape [N]."""
    return np.asarray(on_side(p_first, label) > 0.5)


def flipped(label: Codes) -> Codes:
    """Return the other side; a tie stays one."""
    return np.where(label == TIE, TIE, FIRST + SECOND - label).astype(np.int8)


def _ruled(known: Evidence, config: CurateConfig, bars: Bars | None, gold_stands: bool) -> tuple[Codes, Codes, Codes]:
    """Action, label and reason of every pair by the keep rule, or as they came where that rule has nothing to go by."""
    if config.keep_rule in ("stack", "joint"):
        if known.stack is None:
            return _as_they_came(known, "no stack could be fitted, so the label stays as it came")
        return _by_stack(known, known.stack, config, bars)
    return _by_rule(known, config) if gold_stands else _as_they_came(known, "no gold RM to go by, so the label stays as it came")


def _as_they_came(known: Evidence, reason: str) -> tuple[Codes, Codes, Codes]:
    count = len(known)
    return np.full(count, KEEP, dtype=np.int8), known.label.copy(), np.full(count, _REASON[reason], dtype=np.int8)


def _by_rule(known: Evidence, config: CurateConfig) -> tuple[Codes, Codes, Codes]:
    """The rules `article` and `paper`: the gold RM agrees, and for the paper's the LLM judgement or the best RM does too."""
    unsure = needs_judgement(known, config.confident_above)
    candidate = np.where(unsure & (known.judged != NONE), known.judged, known.label)
    stays = agrees(known.gold, candidate)
    if config.keep_rule == "paper":
        stays &= (known.judged == candidate) | agrees(known.best, candidate)
    turned = flipped(known.label)
    recycles = np.full(len(known), config.recycle == "all")
    if config.recycle == "consistent":
        recycles = agrees(known.gold, turned) & (agrees(known.best, turned) | (known.judged == turned))
    action = np.where(stays, np.where(candidate == known.label, KEEP, RELABEL), np.where(recycles, FLIP, DROP)).astype(np.int8)
    label_after = np.where(stays, candidate, np.where(recycles, turned, known.label)).astype(np.int8)
    why = np.where(
        unsure, np.where(known.judged != NONE, _REASON["judged"], _REASON["unsure, no judgement"]), _REASON["confident"]
    )
    reason = np.where(stays, why, _REASON[f"failed {config.keep_rule}-keep"]).astype(np.int8)
    return action, label_after, reason


def _by_stack(known: Evidence, stack: Floats, config: CurateConfig, bars: Bars | None) -> tuple[Codes, Codes, Codes]:
    """Keep what is likely right, flip what is likely wrong (where recycling is on), drop what is too close to call."""
    right = on_side(stack, known.label)
    bars = bars or bars_of(stack, p_of(known.label), config)
    stays, wrong = right > bars.keep, 1.0 - right > bars.flip
    flips = wrong & (config.recycle != "none")
    action = np.where(stays, KEEP, np.where(flips, FLIP, DROP)).astype(np.int8)
    label_after = np.where(flips, flipped(known.label), known.label).astype(np.int8)
    reason = np.where(
        stays, _REASON["likely right"], np.where(wrong, _REASON["likely wrong"], _REASON["too close to call"])
    ).astype(np.int8)
    return action, label_after, reason


def labels(values: Codes) -> list[str | None]:
    """Return the names of label codes; `NONE` becomes None."""
    return [SIDES[code] if code != NONE else None for code in values.tolist()]
