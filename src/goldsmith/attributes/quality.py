"""How far a source of attributes agrees with labels given by hand, and whether that is clearly better than chance.

A source is *clearly better than chance* on an attribute when, on the hand-labelled pairs, both hold:

- the lower end of the 95 % interval of Cohen's kappa is above 0: its answers go with the pairs, and do not merely have the
  right frequencies. Kappa alone is not enough, as a source can have a small positive kappa and still be wrong more often
  than somebody who does not look at the pair at all;
- the 95 % interval of its accuracy lies above the baseline, the share of the commonest label: it beats giving everybody
  the same answer, which for quotas would be to have none. Accuracy alone is not enough either, as it says nothing of rare labels.

The same is asked of the open attributes, where two answers do not agree or disagree but resemble each other to a degree s
in [0, 1] (lists of qualities: shared over all; guidelines: cosine of their embeddings, at least 0). Accuracy is then the mean
s of the source's answer and the hand's for the same pair, chance the mean s over all combinations of pairs, and the baseline
what the one hand-written answer scores that resembles all of them most. With s = 1 for equal and 0 for different labels these
are accuracy, kappa (J. Cohen, 1960; with degrees: weighted kappa, 1968) and the share of the commonest label.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from goldsmith.evaluate.statistics import wilson

Degrees = npt.NDArray[np.float64]

RESAMPLES = 2000
FEWEST = 20
"""Pairs below which an interval is not worth its name: nothing is clear then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """One source of one attribute, measured.

    Attributes:
        source: `classifier`, `rules`, `llm:MODEL`, as in `made_by`.
        attribute: its name.
        num_pairs: hand-labelled pairs it gave an answer to.
        num_failed: pairs it gave none; they are in no figure.
        accuracy: mean agreement with the hand, in [0, 1]; None when not measured.
        low: lower end of its 95 % interval (Wilson's for labels, bootstrap for degrees).
        high: upper end.
        baseline: what the best constant answer scores.
        kappa: agreement above chance, at most 1; None when not measured or undefined.
        kappa_low: lower end of its 95 % bootstrap interval.
        kappa_high: upper end.
        used: the attribute from this source counts in quotas and in the text of retrieval.
        reason: why it was not measured, or is not used; else empty.
    """

    source: str
    attribute: str
    num_pairs: int = 0
    num_failed: int = 0
    accuracy: float | None = None
    low: float | None = None
    high: float | None = None
    baseline: float | None = None
    kappa: float | None = None
    kappa_low: float | None = None
    kappa_high: float | None = None
    used: bool
    reason: str = ""


def measure_labels(
    source: str, attribute: str, truth: Sequence[Hashable], answers: Sequence[Hashable], *, num_failed: int = 0, seed: int
) -> Quality:
    """Return the quality of labels that are right or wrong.

    Args:
        source: who gave the answers.
        attribute: what they are about.
        truth: the labels given by hand, one a pair.
        answers: the source's, pair by pair.
        num_failed: further pairs without an answer.
        seed: of the bootstrap.
    """
    return measure_degrees(source, attribute, _equal(truth, answers), _equal(truth, truth), num_failed=num_failed, seed=seed)


def measure_degrees(
    source: str, attribute: str, agreement: Degrees, among: Degrees, *, num_failed: int = 0, seed: int
) -> Quality:
    """Return the quality of answers that resemble the hand's to a degree.

    Args:
        source: who gave the answers.
        attribute: what they are about.
        agreement: [i, j] is how far the hand's answer for pair i and the source's for pair j agree, in [0, 1]; shape [N, N].
        among: the same of the hand's answers for pairs i and j.
        num_failed: further pairs without an answer.
        seed: of the bootstrap.
    """
    total = len(agreement)
    if total < FEWEST:
        reason = f"only {total} hand-labelled pairs have an answer, and {FEWEST} are needed"
        return Quality(source=source, attribute=attribute, num_pairs=total, num_failed=num_failed, used=False, reason=reason)
    own, expected = np.diagonal(agreement), float(agreement.mean())
    accuracy, baseline = float(own.mean()), float(among.mean(axis=0).max())
    accuracies, kappas = _resampled(agreement, seed)
    low, high = (float(end) for end in np.quantile(accuracies, [0.025, 0.975]))
    if bool(np.isin(own, (0.0, 1.0)).all()):
        low, high = wilson(round(float(own.sum())), total) or (low, high)
    kappa = (accuracy - expected) / (1 - expected) if expected < 1 else None
    kappa_low, kappa_high = (float(end) for end in np.quantile(kappas, [0.025, 0.975])) if len(kappas) else (None, None)
    used = kappa_low is not None and kappa_low > 0 and low > baseline
    return Quality(
        source=source, attribute=attribute, num_pairs=total, num_failed=num_failed, accuracy=accuracy, low=low, high=high,
        baseline=baseline, kappa=kappa, kappa_low=kappa_low, kappa_high=kappa_high, used=used,
        reason="" if used else "not clearly better than chance on the hand-labelled pairs",
    )  # fmt: skip


def quality_line(row: Quality) -> str:
    """Return one line for people: what was measured, and whether it is clearly better than chance."""
    start = f"{row.attribute} by {row.source}"
    if row.accuracy is None or row.low is None or row.high is None or row.baseline is None or row.kappa is None:
        return f"{start}: {row.reason}"
    verdict = "clearly better than chance" if row.used else "not clearly better than chance"
    return (
        f"{start}: agrees with {100 * row.accuracy:.1f} % of {row.num_pairs} hand-labelled pairs ({100 * row.low:.1f} to {100 * row.high:.1f} %; "
        f"a constant answer {100 * row.baseline:.1f} %), kappa {row.kappa:.2f}: {verdict}"
    )


def shared(one: Sequence[str], other: Sequence[str]) -> float:
    """Return how far two lists of qualities agree: what both name over what either names, whatever the case; 1 for two empty ones."""
    left, right = {name.casefold() for name in one}, {name.casefold() for name in other}
    return len(left & right) / len(left | right) if left | right else 1.0


def _equal(one: Sequence[Hashable], other: Sequence[Hashable]) -> Degrees:
    return np.asarray([[float(left == right) for right in other] for left in one], dtype=np.float64).reshape(len(one), len(other))


def _resampled(agreement: Degrees, seed: int) -> tuple[Degrees, Degrees]:
    """Return accuracy and kappa of each resample of the pairs, drawn with replacement; undefined kappas are left out."""
    total = len(agreement)
    drawn = np.random.default_rng(seed).multinomial(total, np.full(total, 1 / total), size=RESAMPLES) / total
    accuracies = drawn @ np.diagonal(agreement)
    expected = ((drawn @ agreement) * drawn).sum(axis=1)
    defined = expected < 1 - 1e-12
    return accuracies, (accuracies[defined] - expected[defined]) / (1 - expected[defined])
