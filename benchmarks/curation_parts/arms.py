"""The arms: each turns a pool, a judge and a budget of human labels into what the final model is trained on.

An arm sees a `Pool` and an `Oracle`, and nothing else. All arms that ask people spend the same budget; what people said stands in every
training set of theirs, the peers' too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from curation_parts.lab import Lab
from curation_parts.peers import PEERS
from curation_parts.training import Training, gold_margin, hard, silver_labels, with_corrections, with_people
from goldsmith.config.curate import CurateConfig
from goldsmith.curate.bars import promising
from goldsmith.curate.decide import ACTIONS, decide
from goldsmith.curate.evidence import NONE, Evidence, from_margins
from goldsmith.curate.gold_checks import fit_checked
from goldsmith.curate.joint import Joint, fit_joint
from goldsmith.curate.stack import SURFACE, Gold
from goldsmith.curate.surface import Surface

KEEP, FLIP = 0.93, 0.82
"""Precision that the beliefs must promise of what is kept, and of what is flipped; they are a little too sure, by a point or two."""


def raw(lab: Lab) -> Training:
    return hard(lab, lab.pool.label, np.ones(lab.num, dtype=bool))


def human_random(lab: Lab) -> Training:
    gold = lab.at_random(lab.oracle.budget)
    silver = lab.at_random(lab.num)[len(gold) :][: 8 * len(gold)]
    return silver_labels(lab, gold, silver)


def human_adaptive(lab: Lab) -> Training:
    return silver_labels(lab, *lab.by_errors(lab.oracle.budget))


def keep_rule(rule: str, recycle: str) -> Callable[[Lab], Training]:
    """Stage 2 under the article's or the paper's rule: best RM from silver, gold RM from people, the LLM where the best RM doubts."""

    def arm(lab: Lab) -> Training:
        gold, silver = lab.by_errors(lab.oracle.budget)
        config = CurateConfig.model_validate({"keep_rule": rule, "recycle": recycle})
        best, by_gold = _best(lab, silver), gold_margin(lab, gold)
        doubted = np.where(lab.pool.label, best, -best) <= 0
        judged = np.where(doubted, np.where(lab.pool.judge, 0, 1), NONE).astype(np.int8)
        return _decided(lab, gold, best, by_gold, judged, None, config)

    return arm


def judge_corrected(lab: Lab) -> Training:
    """The judge's labels of the whole pool, and a head of them that is corrected on people's."""
    return with_corrections(lab, hard(lab, lab.pool.judge, np.ones(lab.num, dtype=bool)), lab.at_random(lab.oracle.budget))


def stack(
    *,
    soft: bool,
    rounds: int = 1,
    sure_above: float = 0.6,
    retrieval: str = "random",
    teacher: str = "label",
    corrected: bool = False,
) -> Callable[[Lab], Training]:
    """Everything together, calibrated on gold.

    `teacher`: the best RM learns the pool's labels or, as in a run, what the judge says. `rounds` above 1: it is fitted anew to the labels
    that the stack believes. `corrected`: people's labels correct the final head instead of being learnt with the others.
    """

    def arm(lab: Lab) -> Training:
        gold = lab.at_random(lab.oracle.budget) if retrieval == "random" else lab.by_errors(lab.oracle.budget)[0]
        config = CurateConfig(keep_rule="stack", sure_above=sure_above)
        by_gold = gold_margin(lab, gold)
        believed, use = (lab.pool.judge if teacher == "judge" else lab.pool.label).copy(), np.ones(lab.num, dtype=bool)
        p_first = None
        for _ in range(rounds):
            best = lab.margins(believed, use)
            p_first = _stacked(lab, gold, best, by_gold)
            if p_first is None:
                break
            believed, use = p_first > 0.5, np.abs(p_first - 0.5) > 0.1
        judged = np.where(lab.pool.judge, 0, 1).astype(np.int8)
        found = _decided(lab, gold, best, by_gold, judged, p_first, config)
        if not soft or p_first is None:
            return found
        everything = np.ones(lab.num, dtype=bool)
        training = Training(use=everything, p_first=p_first, kept=found.kept, flipped=found.flipped, belief=p_first)
        return (with_corrections if corrected else with_people)(lab, training, gold)

    return arm


def joint(
    *, final: str = "soft", retrieval: str = "random", judge: bool = True, label: bool = True, surface: bool = True
) -> Callable[[Lab], Training]:
    """The truth, the noise of labels and judge, and a head, estimated together (`goldsmith.curate.joint`).

    `final`: the final model learns the probabilities (`soft`), or those without people's labels and is then corrected on these
    (`corrected`), or what label and judge alone say, the one people agree with most as it is and both under their noise, corrected likewise
    (`sources`), learns what is kept and flipped (`hard`), or is the estimate's own head (`own`).
    """

    def arm(lab: Lab) -> Training:
        budget = lab.oracle.budget
        gold = (
            lab.by_errors(budget)[0]
            if retrieval == "error"
            else lab.at_random(budget if retrieval == "random" else budget - budget // 2)
        )
        found = estimated(lab, gold, judge=judge, label=label, surface=surface)
        if retrieval == "uncertainty":
            gold = np.concatenate([gold, lab.nearest_even(found.p_first, budget - len(gold), without=gold)])
            found = estimated(lab, gold, judge=judge, label=label, surface=surface)
        right = np.where(lab.pool.label, found.p_first, 1.0 - found.p_first)
        kept, flipped = right > promising(right, KEEP), 1.0 - right > promising(1.0 - right, FLIP)
        decided = np.where(flipped, ~lab.pool.label, lab.pool.label).astype(float)
        learnt = {"hard": decided, "sources": found.said.trusted}.get(final, found.p_first)
        training = Training(
            use=kept | flipped if final == "hard" else np.ones(lab.num, dtype=bool), p_first=learnt,
            kept=kept, flipped=flipped, belief=found.p_first, weight=found.weight if final == "own" else None,
        )  # fmt: skip
        if final in ("corrected", "sources"):
            return with_corrections(lab, training, gold, found.said.together if final == "sources" else None)
        return with_people(lab, training, gold)

    return arm


def estimated(lab: Lab, gold: Any, *, judge: bool = True, label: bool = True, surface: bool = True) -> Joint:
    """Return the joint estimate with people's labels of these places."""
    pool, human = lab.pool, np.full(lab.num, np.nan)
    human[gold] = lab.oracle.ask(gold)
    key = ("joint", human.tobytes(), judge, label, surface)
    if key not in lab.memo:
        sources = ({"label": pool.label.astype(float)} if label else {}) | ({"judges": pool.judge.astype(float)} if judge else {})
        lab.memo[key] = fit_joint(
            pool.replies.difference, pool.replies.prompts, sources, human, differs_of(lab), lab.seed, with_surface=surface
        )
    return lab.memo[key]


def differs_of(lab: Lab) -> Surface:
    replies = lab.pool.replies
    return Surface(length=np.asarray(replies.length, dtype=float), format=np.asarray(replies.format, dtype=float))


OURS: dict[str, Callable[[Lab], Training]] = {
    "human + random retrieval": human_random,
    "human + adaptive retrieval": human_adaptive,
    "+ stage 2, article, none": keep_rule("article", "none"),
    "+ stage 2, paper, none": keep_rule("paper", "none"),
    "+ recycling, article, all": keep_rule("article", "all"),
    "+ recycling, paper, all": keep_rule("paper", "all"),
    "+ recycling, paper, consistent": keep_rule("paper", "consistent"),
    "stack, hard": stack(soft=False),
    "LLM labels, corrected on gold": judge_corrected,
    "stack, soft": stack(soft=True),
    "stack, soft, corrected on gold": stack(soft=True, corrected=True),
    "joint, soft": joint(),
    "joint, soft, corrected on gold": joint(final="corrected"),
    "joint, sources, corrected on gold": joint(final="sources"),
    "joint, hard": joint(final="hard"),
    "joint, soft, adaptive": joint(retrieval="error"),
    "joint, soft, uncertain": joint(retrieval="uncertainty"),
    "joint, soft, no surface": joint(surface=False),
    "joint, soft, no judge": joint(judge=False),
}
ARMS: dict[str, Callable[[Lab], Training]] = {"raw": raw, **PEERS, **OURS}


def final_head(lab: Lab, training: Training) -> Any:
    """Return the weight of the head fitted to a training set, on differences of features."""
    return lab.fit(training.p_first, training.use).weight if training.weight is None else training.weight


def _best(lab: Lab, silver: Any) -> Any:
    use = np.zeros(lab.num, dtype=bool)
    use[silver] = True
    return lab.margins(lab.pool.judge, use)


def _stacked(lab: Lab, gold: Any, best: Any, by_gold: Any, *, surface: bool = True) -> Any:
    """The stack's probabilities from everything the pool holds; None where gold does not carry one."""
    replies, label = lab.pool.replies, np.where(lab.pool.label, 0, 1).astype(np.int8)
    judged = lab.pool.judge.astype(float)
    differs = differs_of(lab)
    skip = () if surface else SURFACE
    known = Gold(
        truth=np.where(lab.oracle.ask(gold), 0, 1).astype(np.int8), contexts=[replies.prompts[place] for place in gold], label=label[gold],
        best=best[gold], gold=by_gold[gold], judged_p=judged[gold], differs=differs.of(gold),
    )  # fmt: skip
    checked = fit_checked(known, lab.seed, skip=skip)
    return None if checked.fitted is None else checked.fitted.stack.p_first(label, best, by_gold, judged, differs)


def _decided(lab: Lab, gold: Any, best: Any, by_gold: Any, judged: Any, p_first: Any, config: CurateConfig) -> Training:
    label = np.where(lab.pool.label, 0, 1).astype(np.int8)
    known = Evidence(
        label=label, best=from_margins(best), gold=from_margins(by_gold), judged=judged, judged_p=np.full(lab.num, np.nan),
        human=np.full(lab.num, NONE, dtype=np.int8), stack=p_first,
    )  # fmt: skip
    decided = decide(known, config)
    stays = decided.action != ACTIONS.index("drop")
    found = Training(
        use=stays,
        p_first=(decided.label_after == 0).astype(float),
        kept=decided.action == ACTIONS.index("keep"),
        flipped=decided.label_after != label,
    )
    return with_people(lab, found, gold)
