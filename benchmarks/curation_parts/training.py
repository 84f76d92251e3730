"""What a final model learns, and how labels, verdicts and what people said become it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from curation_parts.lab import Lab
from goldsmith.reward.correction import corrected


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """What the final model learns: `p_first` of the pairs in use (1 or 0 where hard); `kept` and `flipped` for the scorer.

    `belief`: the probability that `first` is better before people's labels were put in, for the whole curve of thresholds.
    `weight`: a final model that was fitted already.
    """

    use: Any
    p_first: Any
    kept: Any = None
    flipped: Any = None
    belief: Any = None
    weight: Any = None


def hard(lab: Lab, label: Any, use: Any) -> Training:
    """Labels as certain, of the pairs in use."""
    return Training(use=use, p_first=label.astype(float))


def with_people(lab: Lab, training: Training, gold: Any) -> Training:
    """The same, with people's labels of these places put in."""
    use, p_first = training.use.copy(), np.asarray(training.p_first, dtype=float).copy()
    use[gold], p_first[gold] = True, lab.oracle.ask(gold)
    return replace(training, use=use, p_first=p_first)


def silver_labels(lab: Lab, gold: Any, silver: Any) -> Training:
    """The judge's labels of some places, and people's of others."""
    use = np.zeros(lab.num, dtype=bool)
    use[silver] = True
    return with_people(lab, hard(lab, lab.pool.judge, use), gold)


def gold_margin(lab: Lab, gold: Any) -> Any:
    """The gold RM's margins, out of fold by prompt."""
    truth, use = np.zeros(lab.num, dtype=bool), np.zeros(lab.num, dtype=bool)
    truth[gold], use[gold] = lab.oracle.ask(gold), True
    return lab.margins(truth, use)


def with_corrections(lab: Lab, training: Training, gold: Any, evidence: Any = None) -> Training:
    """The same, the final head being the one of everything but people's labels, corrected on these.

    `evidence`: what all sources say together; a head that learns it under their noise then counts as much as that of the labels, as in
    `goldsmith.train.corrected`.
    """
    use = training.use.copy()
    use[gold] = False
    silver, (_, scale) = lab.fit(training.p_first, use), lab.scaled()
    weight, margin = silver.weight, silver.margin[gold]
    every = np.asarray(lab.pool.replies.difference, dtype=np.float64)
    if evidence is not None:
        evident = lab.fit_evidence(evidence, use)
        one, two = (float(np.sqrt(((every[use] @ fit.weight) ** 2).mean())) for fit in (silver, evident))
        weight, margin = weight / one + evident.weight / two, margin / one + evident.margin[gold] / two
    weight = corrected(weight, margin, every[gold], lab.oracle.ask(gold), scale)
    return replace(with_people(lab, training, gold), weight=weight)
