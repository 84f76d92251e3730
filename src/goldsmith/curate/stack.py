"""One probability for each pair from everything that is known of it: its label, the judges, both reward models, and its surface.

A logistic stack, calibrated on gold train and validation (gold audit never decides): log-odds that `first` is better =
T * (w . x), where x holds the log-likelihood ratios of label and judges under their noise transitions (`curate.transition`), the margins of
best and gold RM (out of fold), and the differences of length and formatting. Every entry of x changes sign when the replies change places,
and there is no constant term, so p(swapped pair) = 1 - p. The weights are drawn towards
naive Bayes, so that little gold leaves opinions as they are. Penalty and T are chosen by the likelihood of held-out contexts, within which
the transitions are fitted anew, so that nothing a figure is measured on was fitted on.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from goldsmith.curate.bars import Bars
from goldsmith.curate.evidence import FIRST, NONE, SECOND, Said, from_margins, p_of, sign
from goldsmith.curate.surface import Surface
from goldsmith.curate.transition import Transition, by_trust, fit_transition, most_trusted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from goldsmith.curate.evidence import Codes, Floats

INPUTS = ("label", "judges", "best RM", "gold RM", "length", "format")
"""What the weights stand for, in order."""
SOURCES = 2
"""The first inputs: what label and judges say."""
SURFACE = ("length", "format")
"""Inputs that speak of no source's opinion, but of what better replies look like."""
PRIOR = (1.0, 1.0, 0.0, 0.0, 0.0, 0.0)
"""Where the weights are before gold speaks: independent opinions of label and judges add up (naive Bayes), models count for nothing."""
L2 = (3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
"""Penalties on the distance from `PRIOR` that are tried, on inputs scaled to a root mean square of 1."""
MARGIN_LIMIT = 6.0
"""A margin beyond this many logits says no more: heads fitted to few pairs are easily too sure."""
FOLDS = 10
P_LIMIT = 1e-4
"""No probability is nearer to 0 or 1: gold of some hundred pairs cannot show more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gold:
    """What is known of gold pairs of train and validation, ties left out; arrays have shape [N].

    Attributes:
        truth: people's label, `FIRST` or `SECOND`.
        contexts: context ids, which folds keep together.
        label: the label each pair had before people saw it; `NONE` for pairs that came with votes alone.
        best, gold: margins of `first` over `second`, by models that did not see the pair's context, in logits.
        judged_p: the judges' probability that `first` wins; NaN where they said nothing.
        differs: length and formatting.
    """

    truth: Codes
    contexts: Sequence[str]
    label: Codes
    best: Floats
    gold: Floats
    judged_p: Floats
    differs: Surface

    def __len__(self) -> int:
        return len(self.truth)

    def of(self, rows: NDArray[np.bool_]) -> Gold:
        """Return the pairs of a mask."""
        return Gold(
            truth=self.truth[rows], contexts=[name for name, use in zip(self.contexts, rows, strict=True) if use], label=self.label[rows],
            best=self.best[rows], gold=self.gold[rows], judged_p=self.judged_p[rows], differs=self.differs.of(rows),
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A fitted stack.

    Attributes:
        label: how labels err; None where no gold pair had one.
        judges: how the judges err; None where they are not used.
        weight: of `INPUTS`, temperature included, on inputs as they come.
        bars: where keeping and flipping begin; None: where the configuration says.
        trust: label and judges, the one that people agree with more often first.
    """

    label: Transition | None
    judges: Transition | None
    weight: tuple[float, ...]
    bars: Bars | None = None
    trust: tuple[str, ...] = INPUTS[:SOURCES]

    def p_first(self, label: Codes, best: Floats, gold: Floats, judged_p: Floats, differs: Surface) -> Floats:
        """Return the probability that `first` is better, float64 [N] in [`P_LIMIT`, 1 - `P_LIMIT`]; arguments as in `Gold`."""
        rows = inputs(self.label, self.judges, label, best, gold, judged_p, differs)
        return np.clip(from_margins(rows @ np.array(self.weight)), P_LIMIT, 1.0 - P_LIMIT)

    def said(self, label: Codes, judged_p: Floats, differs: Surface) -> Said:
        """Return what label and judges alone say; judges that are not used say nothing."""
        none = np.zeros(len(label))
        rows = inputs(self.label, self.judges, label, none, none, judged_p, differs)[:, :SOURCES]
        judged_p = judged_p if self.judges else np.full(len(label), np.nan)
        return Said(
            together=np.clip(from_margins(rows @ np.array(self.weight[:SOURCES])), P_LIMIT, 1.0 - P_LIMIT),
            trusted=most_trusted(dict(zip(INPUTS, (p_of(label), judged_p), strict=False)), self.trust),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the stack as JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Stack:
        """Return the stack that `to_dict` told of."""
        transitions = {name: Transition(**values[name]) if values[name] else None for name in ("label", "judges")}
        bars = Bars(**values["bars"]) if values["bars"] else None
        return cls(**transitions, weight=tuple(values["weight"]), bars=bars, trust=tuple(values["trust"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A stack and what held-out contexts say of it.

    Attributes:
        stack: fitted on all gold given.
        held_out: its probability that `first` is better for each gold pair, by a stack that did not see the pair's context, [N].
        log_loss: of `held_out`, nats; log 2 = 0.693 is a coin's.
        accuracy: share of gold pairs on whose side `held_out` is.
        l2: the penalty chosen.
    """

    stack: Stack
    held_out: Floats
    log_loss: float
    accuracy: float
    l2: float


def fit_stack(known: Gold, seed: int, skip: Collection[str] = ()) -> Fitted:
    """Return the stack of gold pairs.

    Args:
        known: at least two contexts.
        seed: of the folds.
        skip: names of `INPUTS` that get no weight.

    Raises:
        ValueError: fewer than two contexts; `gold_checks.fit_checked` says more politely what is wrong with gold.
    """
    from goldsmith.reward.head import assign_folds
    from goldsmith.reward.logistic import best_temperature, log_loss

    fold_N = assign_folds(known.contexts, FOLDS, seed)
    if len(known) < 2 or fold_N.max() < 1:
        raise ValueError("a stack needs gold pairs of at least two contexts")
    truth_N, ones_N = sign(known.truth), np.ones(len(known))
    margin_LN = np.empty((len(L2), len(known)))
    for fold in range(int(fold_N.max()) + 1):
        held = fold_N == fold
        label, judges, weights = _path(known.of(~held), L2, skip)
        margin_LN[:, held] = np.stack(weights) @ _rows(known.of(held), label, judges).T
    temperatures = [best_temperature(truth_N * margin_N, ones_N) for margin_N in margin_LN]
    losses = [log_loss(truth_N * margin_N / t, ones_N) for margin_N, t in zip(margin_LN, temperatures, strict=True)]
    best = int(np.argmin(losses))
    label, judges, weights = _path(known, L2, skip)
    trust = by_trust({"label": label, "judges": judges})
    stack = Stack(label=label, judges=judges, weight=tuple((weights[best] / temperatures[best]).tolist()), trust=trust)
    held_out = np.clip(from_margins(margin_LN[best] / temperatures[best]), P_LIMIT, 1.0 - P_LIMIT)
    right = float(((held_out > 0.5) == (known.truth == FIRST))[held_out != 0.5].sum() / len(known))
    return Fitted(stack=stack, held_out=held_out, log_loss=losses[best], accuracy=right, l2=L2[best])


def inputs(
    by_label: Transition | None,
    by_judges: Transition | None,
    label: Codes,
    best: Floats,
    gold: Floats,
    judged_p: Floats,
    differs: Surface,
) -> Floats:
    """Return x of each pair, float64 [N, 6], in the order of `INPUTS`."""
    none = np.zeros(len(label))
    said = np.where(label == FIRST, 1.0, np.where(label == SECOND, 0.0, np.nan))
    return np.stack(
        [
            by_label.evidence(said, differs) if by_label else none,
            by_judges.evidence(judged_p, differs) if by_judges else none,
            np.clip(best, -MARGIN_LIMIT, MARGIN_LIMIT),
            np.clip(gold, -MARGIN_LIMIT, MARGIN_LIMIT),
            differs.length,
            differs.format,
        ],
        axis=1,
    )


def _rows(known: Gold, by_label: Transition | None, by_judges: Transition | None) -> Floats:
    return inputs(by_label, by_judges, known.label, known.best, known.gold, known.judged_p, known.differs)


def _path(known: Gold, l2s: Sequence[float], skip: Collection[str]) -> tuple[Transition | None, Transition | None, list[Floats]]:
    """The transitions of gold pairs, and the weights for every penalty, from the largest down."""
    truth = sign(known.truth)
    said = np.where(known.label == NONE, np.nan, np.where(known.label == FIRST, 1.0, 0.0))
    by_label, by_judges = fit_transition(said, truth, known.differs), fit_transition(known.judged_p, truth, known.differs)
    rows = _rows(known, by_label, by_judges)
    scale = np.sqrt((rows**2).mean(0))
    # An input that gold never saw tells nothing: its weight must stay 0 on the pool too.
    absent = scale < 1e-9
    absent[[INPUTS.index(name) for name in skip]] = True
    prior, scale = np.where(absent, 0.0, np.array(PRIOR)), np.where(absent, np.inf, scale)
    sided = truth[:, None] * rows
    weights: list[Floats] = []
    beta = np.zeros(len(INPUTS))
    for l2 in l2s:
        beta = _logistic_from(sided / scale, sided @ prior, l2, beta)
        weights.append(prior + beta / scale)
    return by_label, by_judges, weights


def _logistic_from(rows: Floats, offset: Floats, l2: float, start: Floats) -> Floats:
    """The beta that minimises mean log(1 + exp(-offset - rows beta)) + l2/2 |beta|^2, by Newton steps that are halved while they do harm."""

    def value(beta: Floats) -> float:
        return float(np.logaddexp(0.0, -(offset + rows @ beta)).mean() + 0.5 * l2 * (beta @ beta))

    beta = start
    for _ in range(50):
        miss = from_margins(-(offset + rows @ beta))
        gradient = l2 * beta - rows.T @ miss / len(rows)
        hessian = (rows.T * (miss * (1.0 - miss))) @ rows / len(rows) + l2 * np.eye(rows.shape[1])
        step = np.linalg.solve(hessian, gradient)
        while value(beta - step) > value(beta) and np.abs(step).max() > 1e-10:
            step = step / 2.0
        beta = beta - step
        if np.abs(step).max() < 1e-9:
            break
    return beta
