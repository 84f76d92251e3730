"""The rules of Goldsmith and of the `rewardbench` package on the same made-up numbers."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from goldsmith.benchdata.rewardbench import EXPECTED
from goldsmith.evaluate.scoring.groups import group_means
from goldsmith.evaluate.scoring.rewardbench import section_scores
from goldsmith.evaluate.scoring.rewardbench2 import MARGIN_WEIGHT, TiesRow, best_of_4, margin_term, ties_score, ties_terms
from speed.table import Figure


def made_up(generator: random.Random) -> dict[str, Any]:
    """Accuracies of subsets, some of them absent; Ties rows with equal scores here and there; lists of four with ties."""

    def coarse(count: int) -> list[float]:
        return [generator.randrange(4) / 4 for _ in range(count)]

    def ties(fine: bool) -> list[dict[str, Any]]:
        rows = []
        for number in range(generator.randint(1, 9)):
            right = generator.randint(2, 6)
            for kind, correct in (("ref", 1), ("tied", right)):
                wrong = generator.randint(1, 8)
                scores = [generator.gauss(0.0, 1.0) + (place < correct) for place in range(correct + wrong)] if fine else coarse(correct + wrong)  # fmt: skip
                rows.append({"id": f"{kind}:{number}", "scores": scores, "num_correct": correct})
        return rows

    subsets = [
        {name: generator.random() for name in EXPECTED if generator.random() < share}
        for share in (1.0, 1.0, 0.7, 0.3)
        for _ in range(10)
    ]
    return {
        "sections": subsets,
        "ties": [ties(number % 2 == 0) for number in range(40)],
        "best_of_4": [coarse(4) for _ in range(200)],
    }


def rules(cases: dict[str, Any], told: dict[str, Any]) -> list[Figure]:
    """Return how far the rules of both are apart on the same numbers.

    A tied row whose correct scores are all equal has no spread: the package's release leaves it out of the mean of the margins, which counts
    0.01, and Goldsmith keeps it as the limit of the formula, +1, 0 or -1. Such sets are compared with these margins left out on both sides.
    """
    sections = [
        abs(float(np.ravel(mine[name])[0]) - other[name])
        for case, other in zip(cases["sections"], told["sections"], strict=True)
        for mine in [section_scores(case)]
        for name in mine
    ]
    exact, without_spread = [], []
    for case, other in zip(cases["ties"], told["ties"], strict=True):
        rows = [_ties_row(row) for row in case]
        score = ties_score(group_means(ties_terms(rows), seed=0, resamples=1))
        assert score is not None
        every, spread_out = _margins(rows)
        gap = abs(float(score[0]) - MARGIN_WEIGHT * (every - spread_out) - other)
        (exact if every == spread_out else without_spread).append(gap)
    four = [abs(best_of_4(case) - other) for case, other in zip(cases["best_of_4"], told["best_of_4"], strict=True)]
    return [
        Figure("rule: RewardBench's sections", max(sections), 1e-12, "apart", at_most=True, note=f"{len(cases['sections'])} sets of accuracies"),
        Figure("rule: RewardBench 2, best of four", max(four), 1e-12, "apart", at_most=True, note=f"{len(four)} lists, many with ties"),
        Figure("rule: RewardBench 2, Ties", max(exact), 1e-12, "apart", at_most=True, note=f"{len(exact)} sets of rows"),
        Figure("rule: the same, some spreads 0", max(without_spread), 1e-12, "apart", at_most=True, note=f"{len(without_spread)} sets, those margins left out"),
    ]  # fmt: skip


def _margins(rows: Sequence[TiesRow]) -> tuple[float, float]:
    """Return the mean of the margins over all pairs of a tied and a ref row, and over those whose spread is above 0 (0 without any)."""
    by_name = {(row.kind, row.number): row for row in rows}
    pairs = [(row, by_name["ref", row.number]) for row in rows if row.kind == "tied"]
    margins = [(tied.spread, margin_term(min(tied.gap, ref.gap), tied.spread)) for tied, ref in pairs]
    spread_out = [margin for spread, margin in margins if spread > 0]
    return float(np.mean([margin for _, margin in margins])), float(np.mean(spread_out)) if spread_out else 0.0


def _ties_row(row: dict[str, Any]) -> TiesRow:
    kind, number = row["id"].split(":")
    scores, correct = row["scores"], row["num_correct"]
    return TiesRow(kind=kind, number=number, correct=scores[:correct], incorrect=scores[correct:])
