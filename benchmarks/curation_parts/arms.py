"""The arms: each turns a pool, a judge and a budget of human labels into what the final model is trained on.

An arm sees a `Pool` and an `Oracle`, and nothing else. All arms that ask people spend the same budget; what people said stands in every
training set of theirs, the peers' too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import numpy as np

from curation_parts.lab import Lab, Training
from goldsmith.config.curate import CurateConfig
from goldsmith.curate.bars import promising
from goldsmith.curate.decide import ACTIONS, decide
from goldsmith.curate.evidence import NONE, Evidence, from_margins
from goldsmith.curate.gold_checks import fit_checked
from goldsmith.curate.joint import Joint, fit_joint
from goldsmith.curate.stack import SURFACE, Gold
from goldsmith.curate.surface import Surface

COMMITTEE = 5
KEEP, FLIP = 0.93, 0.82
"""Precision that the beliefs must promise of what is kept, and of what is flipped; they are a little too sure, by a point or two."""
HAS_CLEANLAB = find_spec("cleanlab") is not None
"""The package is optional: without it, confident learning is our own, and the table says so."""


def raw(lab: Lab) -> Training:
    return _hard(lab, lab.pool.label, np.ones(lab.num, dtype=bool))


def llm_only(lab: Lab) -> Training:
    training = _hard(lab, lab.pool.judge, np.ones(lab.num, dtype=bool))
    return _with_people(lab, training, lab.at_random(lab.oracle.budget))


def human_only(lab: Lab) -> Training:
    gold = lab.at_random(lab.oracle.budget)
    return _with_people(lab, _hard(lab, lab.pool.label, np.zeros(lab.num, dtype=bool)), gold)


def human_random(lab: Lab) -> Training:
    gold = lab.at_random(lab.oracle.budget)
    silver = lab.at_random(lab.num)[len(gold) :][: 8 * len(gold)]
    return _silver(lab, gold, silver)


def human_adaptive(lab: Lab) -> Training:
    return _silver(lab, *lab.by_errors(lab.oracle.budget))


def keep_rule(rule: str, recycle: str) -> Callable[[Lab], Training]:
    """Stage 2 under the article's or the paper's rule: best RM from silver, gold RM from people, the LLM where the best RM doubts."""

    def arm(lab: Lab) -> Training:
        gold, silver = lab.by_errors(lab.oracle.budget)
        config = CurateConfig.model_validate({"keep_rule": rule, "recycle": recycle})
        best, by_gold = _best(lab, silver), _gold_margin(lab, gold)
        doubted = np.where(lab.pool.label, best, -best) <= 0
        judged = np.where(doubted, np.where(lab.pool.judge, 0, 1), NONE).astype(np.int8)
        return _decided(lab, gold, best, by_gold, judged, None, config)

    return arm


def stack(
    *, soft: bool, rounds: int = 1, sure_above: float = 0.6, retrieval: str = "random", teacher: str = "label"
) -> Callable[[Lab], Training]:
    """Everything together, calibrated on gold.

    `teacher`: the best RM learns the pool's labels or, as in a run, what the judge says. `rounds` above 1: it is fitted anew to the labels
    that the stack believes.
    """

    def arm(lab: Lab) -> Training:
        gold = lab.at_random(lab.oracle.budget) if retrieval == "random" else lab.by_errors(lab.oracle.budget)[0]
        config = CurateConfig(keep_rule="stack", sure_above=sure_above)
        by_gold = _gold_margin(lab, gold)
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
        return _with_people(
            lab,
            Training(use=np.ones(lab.num, dtype=bool), p_first=p_first, kept=found.kept, flipped=found.flipped, belief=p_first),
            gold,
        )

    return arm


def joint(
    *, final: str = "soft", retrieval: str = "random", judge: bool = True, label: bool = True, surface: bool = True
) -> Callable[[Lab], Training]:
    """The truth, the noise of labels and judge, and a head, estimated together (`goldsmith.curate.joint`).

    `final`: the final model learns the probabilities (`soft`), what is kept and flipped (`hard`), or is the estimate's own head (`own`).
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
        everything = np.ones(lab.num, dtype=bool)
        training = Training(
            use=kept | flipped if final == "hard" else everything,
            p_first=np.where(flipped, ~lab.pool.label, lab.pool.label).astype(float) if final == "hard" else found.p_first,
            kept=kept, flipped=flipped, belief=found.p_first, weight=found.weight if final == "own" else None,
        )  # fmt: skip
        return _with_people(lab, training, gold)

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


def confident_learning(lab: Lab) -> Training:
    """Confident learning (cleanlab's, where the package is there): out-of-fold probabilities, pairs whose label is an issue go."""
    p = from_margins(lab.margins(lab.pool.label, np.ones(lab.num, dtype=bool)))
    return _dropping(lab, ~issues(lab.pool.label, p))


def crowdlab(lab: Lab) -> Training:
    """cleanlab's own way to join several annotators with a model: labels by consensus of label, judge and out-of-fold probabilities."""
    from cleanlab.multiannotator import get_label_quality_multiannotator

    said = np.stack([lab.pool.label, lab.pool.judge], axis=1).astype(int)
    p = from_margins(lab.margins(lab.pool.judge, np.ones(lab.num, dtype=bool)))
    found = get_label_quality_multiannotator(said, np.stack([1.0 - p, p], axis=1), verbose=False)
    label = found["label_quality"]["consensus_label"].to_numpy().astype(float)
    training = Training(use=np.ones(lab.num, dtype=bool), p_first=label)
    return _with_people(lab, training, lab.at_random(lab.oracle.budget))


def small_loss(lab: Lab) -> Training:
    """The pairs with the smallest out-of-fold loss, as many as labels are right on gold."""
    gold = lab.at_random(lab.oracle.budget)
    noise = float((lab.oracle.ask(gold) != lab.pool.label[gold]).mean())
    margin = lab.margins(lab.pool.label, np.ones(lab.num, dtype=bool))
    rank = np.argsort(np.argsort(-np.where(lab.pool.label, margin, -margin), kind="stable"))
    return _dropping(lab, rank < round((1.0 - noise) * lab.num))


def agreement(lab: Lab) -> Training:
    """Pairs on which every one of `COMMITTEE` models from other draws agrees with the label."""
    agree = np.ones(lab.num, dtype=bool)
    for member in range(COMMITTEE):
        use = np.random.default_rng((lab.seed, 5, member)).random(lab.num) < 0.6
        margin = lab.margins(lab.pool.label, use)
        agree &= (margin > 0) == lab.pool.label
    return _dropping(lab, agree)


def seed_model(lab: Lab) -> Training:
    """Every pair goes with which a model of the human labels disagrees."""
    gold = lab.at_random(lab.oracle.budget)
    return _dropping(lab, (_gold_margin(lab, gold) > 0) == lab.pool.label)


OURS: dict[str, Callable[[Lab], Training]] = {
    "human + random retrieval": human_random,
    "human + adaptive retrieval": human_adaptive,
    "+ stage 2, article, none": keep_rule("article", "none"),
    "+ stage 2, paper, none": keep_rule("paper", "none"),
    "+ recycling, article, all": keep_rule("article", "all"),
    "+ recycling, paper, all": keep_rule("paper", "all"),
    "+ recycling, paper, consistent": keep_rule("paper", "consistent"),
    "stack, hard": stack(soft=False),
    "stack, soft": stack(soft=True),
    "joint, soft": joint(),
    "joint, hard": joint(final="hard"),
    "joint, soft, adaptive": joint(retrieval="error"),
    "joint, soft, uncertain": joint(retrieval="uncertainty"),
    "joint, soft, no surface": joint(surface=False),
    "joint, soft, no judge": joint(judge=False),
}
PEERS: dict[str, Callable[[Lab], Training]] = {
    "gold only": human_only,
    "LLM labels + gold": llm_only,
    f"confident learning ({'cleanlab' if HAS_CLEANLAB else 'own'})": confident_learning,
    "small loss": small_loss,
    "agreement": agreement,
    "seed model": seed_model,
    **({"CROWDLAB (cleanlab)": crowdlab} if HAS_CLEANLAB else {}),
}
ARMS: dict[str, Callable[[Lab], Training]] = {"raw": raw, **PEERS, **OURS}


def issues(label: Any, p_first: Any) -> Any:
    """Return where confident learning calls a label an issue, [N].

    A pair counts as confidently of a class when its probability reaches the mean probability of that class among the pairs labelled so; an
    issue is confidently of the other class only, or of both and likelier of the other (Northcutt et al. 2021, pruned by the confident joint).
    """
    label, p_first = np.asarray(label, dtype=bool), np.asarray(p_first, dtype=float)
    if not HAS_CLEANLAB:
        by_class = np.stack([1.0 - p_first, p_first], axis=1)
        bar = np.array([by_class[label == bool(side), side].mean() if (label == bool(side)).any() else np.inf for side in (0, 1)])
        confident = by_class >= bar
        likeliest = np.where(confident.any(1), np.where(confident, by_class, -1.0).argmax(1), label.astype(int))
        return likeliest != label.astype(int)
    from cleanlab.filter import find_label_issues

    return np.asarray(
        find_label_issues(
            label.astype(int), np.stack([1.0 - p_first, p_first], axis=1), filter_by="confident_learning", n_jobs=1
        ),
        dtype=bool,
    )


def final_head(lab: Lab, training: Training) -> Any:
    """Return the weight of the head fitted to a training set, on differences of features."""
    return lab.fit(training.p_first, training.use).weight if training.weight is None else training.weight


def _hard(lab: Lab, label: Any, use: Any) -> Training:
    return Training(use=use, p_first=label.astype(float))


def _with_people(lab: Lab, training: Training, gold: Any) -> Training:
    use, p_first = training.use.copy(), np.asarray(training.p_first, dtype=float).copy()
    use[gold], p_first[gold] = True, lab.oracle.ask(gold)
    return replace(training, use=use, p_first=p_first)


def _silver(lab: Lab, gold: Any, silver: Any) -> Training:
    use = np.zeros(lab.num, dtype=bool)
    use[silver] = True
    return _with_people(lab, _hard(lab, lab.pool.judge, use), gold)


def _dropping(lab: Lab, stays: Any) -> Training:
    """A peer that drops pairs; it gets the same human labels."""
    found = Training(use=stays, p_first=lab.pool.label.astype(float), kept=stays, flipped=np.zeros(lab.num, dtype=bool))
    return _with_people(lab, found, lab.at_random(lab.oracle.budget))


def _best(lab: Lab, silver: Any) -> Any:
    use = np.zeros(lab.num, dtype=bool)
    use[silver] = True
    return lab.margins(lab.pool.judge, use)


def _gold_margin(lab: Lab, gold: Any) -> Any:
    """The gold RM's margins, out of fold by prompt."""
    truth, use = np.zeros(lab.num, dtype=bool), np.zeros(lab.num, dtype=bool)
    truth[gold], use[gold] = lab.oracle.ask(gold), True
    return lab.margins(truth, use)


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
    return _with_people(lab, found, gold)
