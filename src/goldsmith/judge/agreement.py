"""How well two columns of labels agree: Wilson's interval, Cohen's kappa, accuracy and macro averages."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

Z_95 = 1.959963984540054


@dataclass(frozen=True, slots=True, kw_only=True)
class Proportion:
    """A share with its 95 % interval; `value` is None when there is nothing to count."""

    count: int
    total: int
    value: float | None
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Agreement of predictions with truth over given classes; macro figures are plain means over them."""

    accuracy: float
    macro_precision: float
    macro_recall: float
    macro_f1: float


def wilson(count: int, total: int) -> Proportion:
    """Return a share with Wilson's 95 % interval (Wilson 1927); with total 0 the interval is [0, 1].

    Args:
        count: hits, 0 <= count <= total.
        total: trials.
    """
    if total == 0:
        return Proportion(count=0, total=0, value=None, low=0.0, high=1.0)
    share, z2 = count / total, Z_95 * Z_95
    middle = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = Z_95 / (1 + z2 / total) * math.sqrt(share * (1 - share) / total + z2 / (4 * total * total))
    return Proportion(count=count, total=total, value=share, low=max(0.0, middle - half), high=min(1.0, middle + half))


def cohen_kappa(one: Sequence[Hashable], other: Sequence[Hashable]) -> float | None:
    """Return Cohen's kappa, unweighted: (observed - expected) / (1 - expected).

    Args:
        one: labels of one side, length N.
        other: labels of the other side.

    Returns:
        At most 1; None when N is 0 or chance alone would agree always.
    """
    total = len(one)
    if total == 0:
        return None
    observed = sum(a == b for a, b in zip(one, other, strict=True)) / total
    ones, others = Counter(one), Counter(other)
    expected = sum(ones[label] * others[label] for label in ones) / total**2
    return None if expected >= 1.0 else (observed - expected) / (1.0 - expected)


def classification_report(truth: Sequence[Hashable], predicted: Sequence[Hashable], classes: Sequence[Hashable]) -> Report:
    """Return accuracy over all N rows and macro averages over `classes`; a prediction outside of them is wrong.

    A precision or recall without a single row counts 0.
    """
    rows = list(zip(truth, predicted, strict=True))
    precisions, recalls, f1s = [], [], []
    for label in classes:
        hits = sum(a == label and b == label for a, b in rows)
        precision = _ratio(hits, sum(b == label for _, b in rows))
        recall = _ratio(hits, sum(a == label for a, _ in rows))
        precisions.append(precision)
        recalls.append(recall)
        f1s.append(_ratio(2 * precision * recall, precision + recall))
    mean = [math.fsum(values) / len(classes) for values in (precisions, recalls, f1s)]
    accuracy = _ratio(sum(a == b for a, b in rows), len(rows))
    return Report(accuracy=accuracy, macro_precision=mean[0], macro_recall=mean[1], macro_f1=mean[2])


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
