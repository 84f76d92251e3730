"""The arms: each turns a pool, a judge and a budget of human labels into what the final model is trained on.

An arm sees a `Pool` and an `Oracle`, and nothing else. All arms that ask people spend the same budget; what people said stands in every
training set of theirs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

from curation_parts.wall import Oracle, Pool
from goldsmith.config.curate import CurateConfig
from goldsmith.curate.decide import ACTIONS, decide
from goldsmith.curate.evidence import NONE, Evidence, from_margins
from goldsmith.curate.gold_checks import fit_checked
from goldsmith.curate.stack import SURFACE, Gold
from goldsmith.curate.surface import Surface
from goldsmith.retrieve.adaptive_k import adaptive_k
from goldsmith.reward.head import fit_head, out_of_fold_scores

L2 = (1e-3, 1e-2, 1e-1, 1.0)
FOLDS = 5
COMMITTEE = 5
ROUNDS = 2
HAS_CLEANLAB = find_spec("cleanlab") is not None
"""The package is optional: without it, confident learning is our own, and the table says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """What the final model learns: `p_first` of the pairs in use (1 or 0 where hard); `kept` and `flipped` for the scorer.

    `belief`: the probability that `first` is better before people's labels were put in, for the whole curve of thresholds.
    """

    use: Any
    p_first: Any
    kept: Any = None
    flipped: Any = None
    belief: Any = None


class Lab:
    """One pool with one oracle; what several arms need is computed once, from the pool and the answers alone."""

    def __init__(self, pool: Pool, oracle: Oracle, seed: int) -> None:
        self.pool, self.oracle, self.seed = pool, oracle, seed
        self.num = len(pool.replies)

    def margins(self, label: Any, use: Any) -> Any:
        """Margins by heads fitted to labels of the pairs in use, out of fold by prompt, [N]."""
        replies = self.pool.replies
        named = [("first" if one else "second") if used else None for one, used in zip(label, use, strict=True)]
        found = out_of_fold_scores(replies.first, replies.second, named, replies.prompts, L2, self.seed, folds=FOLDS)
        return found.first - found.second

    def at_random(self, count: int) -> Any:
        """Places of that many pairs, prompts as different as possible."""
        order = np.random.default_rng((self.seed, 3)).permutation(self.num)
        return spread(order, self.pool.replies.prompts)[:count]

    def by_errors(self, count: int) -> tuple[Any, Any]:
        """Places that people see when half are drawn and the rest asked for by the errors on them, in rounds; and the silver asked for."""
        gold = self.at_random(count - count // 2).tolist()
        silver: list[int] = self.at_random(self.num)[len(gold) :][: 4 * count].tolist()
        share = max(1, (count // 2) // ROUNDS)
        while len(gold) < count:
            ranked = self.retrieve(gold, silver)
            fresh = [place for place in ranked if place not in set(gold)]
            people = fresh[: min(share, count - len(gold))]
            if not people:
                people = [place for place in self.at_random(self.num).tolist() if place not in set(gold)][: count - len(gold)]
            gold += people
            silver += [place for place in fresh[len(people) :] if place not in set(silver)]
        return np.array(gold), np.array(sorted(set(silver) - set(gold)))

    def retrieve(self, gold: list[int], silver: list[int]) -> list[int]:
        """The article's retrieval: neighbours of gold pairs by prompt, k by the error of a model trained on silver."""
        use = np.zeros(self.num, dtype=bool)
        use[silver] = True
        margin = self.margins(self.pool.judge, use)
        truth = self.oracle.ask(gold)
        vectors = self.pool.replies.embedding
        priority = np.zeros(self.num)
        for place, is_first in zip(gold, truth, strict=True):
            p = float(from_margins(margin[place] if is_first else -margin[place]))
            likeness = vectors @ vectors[place]
            likeness[[*gold, *silver]] = -np.inf
            near = np.argsort(-likeness, kind="stable")[: adaptive_k(p)]
            priority[near] += np.maximum(likeness[near], 0.0) * (1.0 - p)
        return [int(place) for place in np.argsort(-priority, kind="stable") if priority[place] > 0]


def spread(order: Any, prompts: Any) -> Any:
    """Return places so that every prompt comes once before any comes twice."""
    turns: dict[str, int] = {}
    keys = []
    for rank, place in enumerate(np.asarray(order).tolist()):
        turn = turns[prompts[place]] = turns.get(prompts[place], -1) + 1
        keys.append((turn, rank, place))
    return np.array([place for _, _, place in sorted(keys)])


def raw(lab: Lab) -> Training:
    return _hard(lab, lab.pool.label, np.ones(lab.num, dtype=bool))


def llm_only(lab: Lab) -> Training:
    return _hard(lab, lab.pool.judge, np.ones(lab.num, dtype=bool))


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


def evidence(*, then_stack: bool, sure_above: float = 0.6) -> Callable[[Lab], Training]:
    """Soft labels from label and judge alone, each under its noise transition; optionally a best RM fitted to them, and the full stack.

    No model's margin goes into the first probabilities, so that errors which many pairs share are not confirmed by a model that learnt them.
    """

    def arm(lab: Lab) -> Training:
        gold = lab.at_random(lab.oracle.budget)
        none = np.zeros(lab.num)
        p_first = _stacked(lab, gold, none, none, surface=False)
        if p_first is None:
            return _with_people(lab, raw(lab), gold)
        believed = _with_people(lab, Training(use=np.ones(lab.num, dtype=bool), p_first=p_first), gold)
        if not then_stack:
            return believed
        best = soft_margins(lab, believed.p_first)
        stacked = _stacked(lab, gold, best, _gold_margin(lab, gold))
        p_first = p_first if stacked is None else stacked
        config = CurateConfig(keep_rule="stack", sure_above=sure_above)
        found = _decided(lab, gold, best, none, np.where(lab.pool.judge, 0, 1).astype(np.int8), p_first, config)
        soft = Training(use=np.ones(lab.num, dtype=bool), p_first=p_first, kept=found.kept, flipped=found.flipped, belief=p_first)
        return _with_people(lab, soft, gold)

    return arm


def soft_margins(lab: Lab, p_first: Any) -> Any:
    """Margins by heads fitted to soft labels, out of fold by prompt, [N]."""
    from goldsmith.reward.head import assign_folds

    replies = lab.pool.replies
    fold, margin = assign_folds(replies.prompts, FOLDS, lab.seed), np.empty(lab.num)
    l2 = None
    for part in range(int(fold.max()) + 1):
        head = _soft_head(lab, p_first, np.flatnonzero(fold != part), L2 if l2 is None else (l2,))
        l2, held = head.l2, fold == part
        margin[held] = (replies.first[held] - replies.second[held]) @ head.weight
    return margin


def confident_learning(lab: Lab) -> Training:
    """Confident learning (cleanlab's, where the package is there): out-of-fold probabilities, pairs whose label is an issue go."""
    p = from_margins(lab.margins(lab.pool.label, np.ones(lab.num, dtype=bool)))
    return _dropping(lab, ~issues(lab.pool.label, p))


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
    "stack, soft, twice": stack(soft=True, rounds=2),
    "stack, soft, adaptive": stack(soft=True, retrieval="error"),
    "stack, soft, judge's RM": stack(soft=True, teacher="judge"),
    "stack, hard, judge's RM": stack(soft=False, teacher="judge"),
    "evidence, soft": evidence(then_stack=False),
    "evidence, then stack": evidence(then_stack=True),
}
PEERS: dict[str, Callable[[Lab], Training]] = {
    "gold only": human_only,
    "LLM labels only": llm_only,
    f"confident learning ({'cleanlab' if HAS_CLEANLAB else 'own'})": confident_learning,
    "small loss": small_loss,
    "agreement": agreement,
    "seed model": seed_model,
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
    """Return the weight of the head fitted to a training set; a soft label stands in both directions."""
    replies, use = lab.pool.replies, np.flatnonzero(training.use)
    if len(use) < 2 or len({replies.prompts[place] for place in use}) < 2:
        return np.zeros(replies.first.shape[1])
    return _soft_head(lab, training.p_first, use, L2).weight


def _soft_head(lab: Lab, p_first: Any, use: Any, l2: Any) -> Any:
    replies = lab.pool.replies
    first, second, p = replies.first[use], replies.second[use], np.asarray(p_first, dtype=float)[use]
    names = [replies.prompts[place] for place in use]
    weights = np.concatenate([p, 1.0 - p])
    held = weights > 0
    chosen, rejected = np.concatenate([first, second])[held], np.concatenate([second, first])[held]
    groups = [name for name, keep in zip([*names, *names], held, strict=True) if keep]
    return fit_head(chosen, rejected, groups, l2, lab.seed, weights[held])


def _hard(lab: Lab, label: Any, use: Any) -> Training:
    return Training(use=use, p_first=label.astype(float))


def _with_people(lab: Lab, training: Training, gold: Any) -> Training:
    use, p_first = training.use.copy(), np.asarray(training.p_first, dtype=float).copy()
    use[gold], p_first[gold] = True, lab.oracle.ask(gold)
    return Training(use=use, p_first=p_first, kept=training.kept, flipped=training.flipped, belief=training.belief)


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
    differs = Surface(length=np.asarray(replies.length, dtype=float), format=np.asarray(replies.format, dtype=float))
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
