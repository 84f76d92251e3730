"""Stage 2 for pairs without a workspace: which labels of a dataset to keep, to flip and to drop, from features and whatever else is given.

With human labels for some pairs (gold) everything known is stacked and calibrated on them. Without, nothing is ever flipped: a label is
only dropped when a model that did not see its prompt is nearly sure of the opposite and no judge stands by the label, as nothing then
tells the model's mistakes from the labels'. A model that follows length drops nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from goldsmith.config.curate import CurateConfig
from goldsmith.curate.bars import Bars, bars_of
from goldsmith.curate.decide import ACTIONS, REASONS, decide, labels
from goldsmith.curate.evidence import NONE, TIE, Evidence, Said, codes, from_margins, on_side, p_of
from goldsmith.curate.follows_length import LengthSums
from goldsmith.curate.gold_checks import Checked, fit_checked, gold_rm_refusal
from goldsmith.curate.joint_checks import CheckedJoint, Everything, fit_joint_checked
from goldsmith.curate.stack import Gold
from goldsmith.curate.surface import Surface, surface
from goldsmith.errors import UserError
from goldsmith.evaluate.statistics import accuracy
from goldsmith.gold.split import split_of
from goldsmith.store.pairs import text_of
from goldsmith.types import Pair

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from goldsmith.curate.evidence import Codes, Floats

FEWEST_PROMPTS = 5
"""Prompts of labelled pairs below which no model can be fitted and held out from itself."""
AGAINST = 0.9
"""Without gold: a held-out model's probability of the opposite label above which a pair is dropped."""
BY_HEART = 0.98
"""A model that was brought along and agrees with more of the labels than this is suspected of having been trained on them."""
FEWEST_LABELS = 50
"""Labels below which nobody is suspected."""
ALONE = "model-against"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of N distinct pairs, gold's own ones included; arrays have shape [N].

    Attributes:
        pairs: with the label the dataset gives them; for pairs that are in gold alone, any.
        is_asked: the pair is of the dataset that is cleaned.
        human: people's label, `NONE` where they did not see the pair.
        features: of both replies, [N, D] each; None when best margins are given and there is no gold.
        best: margins of a reward model that was brought along; None: a head is fitted to the labels and read out of fold.
        judged_p: the judges' probability that `first` wins; NaN where they said nothing.
    """

    pairs: Sequence[Pair]
    is_asked: NDArray[np.bool_]
    human: Codes
    features: tuple[NDArray[np.float32], NDArray[np.float32]] | None
    best: Floats | None
    judged_p: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaned:
    """Decisions on the asked pairs, in their order.

    Attributes:
        decisions: {pair_id, action, label_before, label_after, p_first, p_label, p_sources, p_trusted, rule, reason, judges} of each;
            `p_label` is the probability of `label_after`; `p_sources` and `p_trusted` that of `first` by label and judges alone, where
            the rule tells it (`evidence.Said`).
        statements: sentences for people: what is wrong with gold, judges or models.
        facts: figures.
    """

    decisions: list[dict[str, Any]]
    statements: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)


def clean_pairs(known: Known, config: CurateConfig, l2: Sequence[float], seed: int) -> Cleaned:
    """Return the decisions on the asked pairs.

    Args:
        known: the pairs and what is known of them.
        config: the rules; under `article` and `paper` gold is needed.
        l2: penalties of the heads.
        seed: of folds.

    Raises:
        UserError: fewer than `FEWEST_PROMPTS` prompts with a label, or a rule that needs gold without it.
    """
    contexts = [pair.context_id for pair in known.pairs]
    label = codes([pair.label for pair in known.pairs])
    label[~known.is_asked] = NONE
    differs = surface(
        *([text_of(content) for content in side] for side in zip(*((p.first, p.second) for p in known.pairs), strict=True))
    )
    best = known.best if known.best is not None else _out_of_fold(known, label, contexts, l2, seed, config.folds)
    told: list[str] = []
    on_length = LengthSums.of(best, differs.length).warning("the reward model")
    learnt = None if known.best is None else _learnt_by_heart(best, label)
    told += [text for text in (on_length, learnt) if text]
    # Audit decides nothing: it only measures, at the end.
    open_gold = np.array([split_of(name) != "audit" for name in contexts]) & (known.human != NONE)
    usable = open_gold & (known.human != TIE)
    if not (known.human != NONE).any():
        return _without_gold(known, label, best, config, told, is_trusted=on_length is None)
    gold_margin = _gold_margin(known, contexts, l2, seed, config.folds, told)
    evidence = Gold(
        truth=known.human[usable], contexts=[name for name, use in zip(contexts, usable, strict=True) if use],
        label=np.where(label[usable] == TIE, NONE, label[usable]).astype(np.int8), best=best[usable], gold=gold_margin[usable],
        judged_p=known.judged_p[usable], differs=differs.of(usable),
    )  # fmt: skip
    checked, p_first, said = _probabilities(known, evidence, usable, contexts, label, best, gold_margin, differs, config, seed)
    refused = None if config.keep_rule in ("stack", "joint") else gold_rm_refusal(evidence)
    if refused:
        told.insert(0, f"{refused}; every label stays as it came")
    # A person's label stands for a pair; audit's too, but the report below measures the stack, not people.
    bars = None if p_first is None else bars_of(p_first[known.is_asked], p_of(label[known.is_asked]), config)
    believed = (p_first, said)
    result = _decided(
        known, label, best, gold_margin, believed, config, bars, gold_stands=refused is None and p_first is not None
    )
    facts = {
        "stack": {**checked.facts, **({"bars": asdict(bars)} if bars else {})},
        **_on_audit(known, contexts, label, p_first, seed),
        "follows_length": _follows(best, gold_margin, differs),
    }
    return Cleaned(decisions=result, statements=list(dict.fromkeys([*checked.statements, *told])), facts=facts)


def _probabilities(
    known: Known, evidence: Gold, usable: NDArray[np.bool_], contexts: Sequence[str], label: Codes, best: Floats, gold: Floats, differs: Surface,
    config: CurateConfig, seed: int,
) -> tuple[Checked | CheckedJoint, Floats | None, Said | None]:  # fmt: skip
    """The probability that `first` is better, of each pair, by the joint estimate or the stack, and by its sources alone; None where gold carries neither."""
    if config.keep_rule != "joint":
        checked = fit_checked(evidence, seed)
        stack = checked.fitted.stack if checked.fitted else None
        if stack is None:
            return checked, None, None
        return checked, stack.p_first(label, best, gold, known.judged_p, differs), stack.said(label, known.judged_p, differs)
    assert known.features is not None
    everything = Everything(
        differences=known.features[0].astype(np.float64) - known.features[1], contexts=contexts, label=p_of(label), judged_p=known.judged_p,
        human=np.where(usable, p_of(known.human), np.nan), differs=differs, model_p=None if known.best is None else from_margins(known.best),
    )  # fmt: skip
    found = fit_joint_checked(everything, evidence, seed, config.folds)
    return (found, None, None) if found.joint is None else (found, found.joint.p_first, found.joint.said)


def _learnt_by_heart(best: Floats, label: Codes) -> str | None:
    """What is said of a model that agrees with nearly every label; None where it does not."""
    decided = (label != NONE) & (label != TIE)
    count = int(decided.sum())
    share = float((on_side(from_margins(best), label) > 0.5)[decided].mean()) if count else 0.0
    if count < FEWEST_LABELS or share <= BY_HEART:
        return None
    return (
        f"the reward model agrees with {100 * share:.1f} % of the {count:,} labels: one that was trained on these pairs does, and then it finds "
        "none of their errors; bring one along that was not (--rm), or none"
    )


def _out_of_fold(known: Known, label: Codes, contexts: Sequence[str], l2: Sequence[float], seed: int, folds: int) -> Floats:
    """Margins by heads fitted to the dataset's own labels, none of which saw the pair's prompt."""
    from goldsmith.reward.head import out_of_fold_scores

    assert known.features is not None
    named = [name if name in ("first", "second") else None for name in labels(label)]
    prompts = {context for context, name in zip(contexts, named, strict=True) if name}
    if len(prompts) < FEWEST_PROMPTS:
        raise UserError(
            f"only {len(prompts)} different prompts have a preferred reply; {FEWEST_PROMPTS} are needed to fit a model that is held out from what it judges"
        )
    found = out_of_fold_scores(*known.features, named, contexts, l2, seed, folds=folds)
    return np.asarray(found.first - found.second, dtype=np.float64)


def _gold_margin(known: Known, contexts: Sequence[str], l2: Sequence[float], seed: int, folds: int, told: list[str]) -> Floats:
    """Margins by heads fitted to gold train and validation, out of fold; 0, which says nothing, where gold is too small for a head."""
    from goldsmith.reward.head import out_of_fold_scores

    named = [
        name if name in ("first", "second") and split_of(context) != "audit" else None
        for name, context in zip(labels(known.human), contexts, strict=True)
    ]
    prompts = {context for context, name in zip(contexts, named, strict=True) if name}
    if known.features is None or len(prompts) < FEWEST_PROMPTS:
        told.append(f"gold outside its audit part has {len(prompts)} prompts, too few for a gold RM; none is used")
        return np.zeros(len(contexts))
    found = out_of_fold_scores(*known.features, named, contexts, l2, seed, folds=folds)
    return np.asarray(found.first - found.second, dtype=np.float64)


def _decided(
    known: Known,
    label: Codes,
    best: Floats,
    gold: Floats,
    believed: tuple[Floats | None, Said | None],
    config: CurateConfig,
    bars: Bars | None,
    *,
    gold_stands: bool,
) -> list[dict[str, Any]]:
    asked = known.is_asked
    p_first = None if believed[0] is None else believed[0][asked]
    said = None if believed[1] is None else believed[1].of(asked)
    judged = np.where(np.isnan(known.judged_p) | (known.judged_p == 0.5), NONE, np.where(known.judged_p > 0.5, 0, 1)).astype(
        np.int8
    )
    evidence = Evidence(
        label=label[asked], best=from_margins(best[asked]), gold=from_margins(gold[asked]), judged=judged[asked],
        judged_p=known.judged_p[asked], human=known.human[asked], stack=p_first, sources=said,
    )  # fmt: skip
    decided = decide(evidence, config, bars, gold_stands=gold_stands)
    side = on_side(decided.p_first, decided.label_after)
    names = labels(decided.label_after), labels(evidence.label), labels(evidence.judged), labels(evidence.human)
    rows = []
    for at, pair in enumerate(pair for pair, use in zip(known.pairs, asked, strict=True) if use):
        judges = {
            "best": float(evidence.best[at]), "gold": float(evidence.gold[at]), "llm": names[2][at], "llm_p_first": _or_none(evidence.judged_p[at]),
            "human": names[3][at], "stack": None if evidence.stack is None else float(evidence.stack[at]),
        }  # fmt: skip
        is_human = decided.rule[at] == 0
        certain = float(names[0][at] == "first")
        rows.append(
            {
                "pair_id": pair.pair_id,
                "action": ACTIONS[decided.action[at]],
                "label_before": names[1][at],
                "label_after": names[0][at],
                "p_first": certain if is_human else float(decided.p_first[at]),
                "p_label": 1.0 if is_human else float(side[at]),
                "p_sources": None if is_human or said is None else float(said.together[at]),
                "p_trusted": None if is_human or said is None else _or_none(said.trusted[at]),
                "rule": decided.rules[decided.rule[at]],
                "reason": REASONS[decided.reason[at]],
                "judges": judges,
            }
        )
    return rows


def _without_gold(
    known: Known, label: Codes, best: Floats, config: CurateConfig, told: list[str], *, is_trusted: bool
) -> Cleaned:
    if config.keep_rule not in ("stack", "joint"):
        raise UserError(
            f"the rule '{config.keep_rule}' needs a gold RM, and so pairs with human labels; give them with --gold, or leave --rule out"
        )
    dropped = f"only what it is {100 * AGAINST:.0f} % sure is wrong is dropped"
    told.append(
        "no human labels were given: probabilities are a model's that learnt from such labels, nothing can be calibrated or flipped, and "
        f"{dropped if is_trusted else 'as it follows length, nothing is dropped on its word'}; 50 pairs with human labels (--gold) change that"
    )
    p_first = from_margins(best)
    side = on_side(p_first, label)
    stands_by = np.where(np.isnan(known.judged_p), False, on_side(known.judged_p, label) > 0.5)
    rows = []
    for at, pair in enumerate(known.pairs):
        is_tie, is_against = label[at] == TIE, is_trusted and 1.0 - side[at] > AGAINST and not stands_by[at]
        reason = (
            "a tie is never trained on"
            if is_tie
            else "the model is nearly sure of the opposite"
            if is_against
            else "nothing speaks against it clearly"
        )
        rows.append(
            {
                "pair_id": pair.pair_id, "action": "drop" if is_tie or is_against else "keep", "label_before": pair.label,
                "label_after": pair.label, "p_first": float(p_first[at]), "p_label": float(side[at]), "p_sources": None, "p_trusted": None,
                "rule": "tie" if is_tie else ALONE, "reason": reason,
                "judges": {"best": float(p_first[at]), "gold": None, "llm_p_first": _or_none(known.judged_p[at]), "human": None, "stack": None},
            }
        )  # fmt: skip
    return Cleaned(decisions=rows, statements=told, facts={})


def _on_audit(known: Known, contexts: Sequence[str], label: Codes, p_first: Floats | None, seed: int) -> dict[str, Any]:
    """How often labels as they came, and the stack's side, are right on gold audit, which decided nothing."""
    rows = (
        np.array([split_of(name) == "audit" for name in contexts]) & (known.human < TIE) & (known.human != NONE) & (label != NONE)
    )
    groups = [name for name, use in zip(contexts, rows, strict=True) if use]
    if p_first is None or not groups:
        return {"audit": None}
    truth = known.human[rows]
    sides = {"labels": label[rows] == truth, "stack": on_side(p_first[rows], truth) > 0.5}
    found = {name: accuracy(right, groups, seed=seed) for name, right in sides.items()}
    return {
        "audit": {
            name: {"value": item.value, "low": item.low, "high": item.high, "pairs": item.num_pairs}
            for name, item in found.items()
        }
    }


def _follows(best: Floats, gold: Floats, differs: Surface) -> dict[str, Any]:
    sums = {"best": LengthSums.of(best, differs.length), "gold": LengthSums.of(gold, differs.length)}
    return {name: {"share": item.share, "correlation": item.correlation} for name, item in sums.items()}


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def counted(decisions: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the decisions by action, and those of `drop` by reason."""
    return {
        "by_action": dict(sorted(Counter(row["action"] for row in decisions).items())),
        "dropped": dict(sorted(Counter(row["reason"] for row in decisions if row["action"] == "drop").items())),
        "by_reason": dict(sorted(Counter(f"{row['action']}: {row['reason']}" for row in decisions).items())),
    }
