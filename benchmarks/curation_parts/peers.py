"""What people do today at the same human budget: labels alone, cleanlab, small losses, agreement of models."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np

from curation_parts.lab import Lab
from curation_parts.training import Training, gold_margin, hard, with_people
from goldsmith.curate.evidence import from_margins

COMMITTEE = 5
HAS_CLEANLAB = find_spec("cleanlab") is not None
"""The package is optional: without it, confident learning is our own, and the table says so."""


def llm_only(lab: Lab) -> Training:
    training = hard(lab, lab.pool.judge, np.ones(lab.num, dtype=bool))
    return with_people(lab, training, lab.at_random(lab.oracle.budget))


def human_only(lab: Lab) -> Training:
    gold = lab.at_random(lab.oracle.budget)
    return with_people(lab, hard(lab, lab.pool.label, np.zeros(lab.num, dtype=bool)), gold)


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
    return with_people(lab, training, lab.at_random(lab.oracle.budget))


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
    return _dropping(lab, (gold_margin(lab, gold) > 0) == lab.pool.label)


def _dropping(lab: Lab, stays: Any) -> Training:
    """A peer that drops pairs; it gets the same human labels."""
    found = Training(use=stays, p_first=lab.pool.label.astype(float), kept=stays, flipped=np.zeros(lab.num, dtype=bool))
    return with_people(lab, found, lab.at_random(lab.oracle.budget))


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


PEERS: dict[str, Callable[[Lab], Training]] = {
    "gold only": human_only,
    "LLM labels + gold": llm_only,
    f"confident learning ({'cleanlab' if HAS_CLEANLAB else 'own'})": confident_learning,
    "small loss": small_loss,
    "agreement": agreement,
    "seed model": seed_model,
    **({"CROWDLAB (cleanlab)": crowdlab} if HAS_CLEANLAB else {}),
}
