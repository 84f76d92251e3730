"""From scores, or from a judge's games, to the answer to each comparison, and from those to what happened to an item."""

from __future__ import annotations

import math
from collections.abc import Sequence

from goldsmith.evaluate.result import Decision, Outcome

Game = int | None
"""A judge's verdict on one comparison: 1 the better reply, -1 the worse one, 0 a tie, None no verdict."""


def by_scores(scores: Sequence[float | None], comparisons: Sequence[tuple[int, int]]) -> list[Decision]:
    """Return the answer to each comparison: `right` when the better reply scores strictly higher.

    Args:
        scores: of each reply; None, or NaN, where it has none. Infinities compare as numbers do.
        comparisons: (better, worse) places.
    """
    return [_by_two(scores[better], scores[worse]) for better, worse in comparisons]


def by_games(games: Sequence[Sequence[Game]]) -> list[Decision]:
    """Return the answer to each comparison of a judge: right when the sum over its games is above 0, wrong when below, else a tie.

    One right game and one tie, or one without a verdict, are right; one right and one wrong are a tie. Source: JudgeBench's rule.
    """
    return [_by_sum(played) for played in games]


def outcome_of(decisions: Sequence[Decision], credit: float | None) -> Outcome:
    """Return what happened to an item; `credit` is None when a missing score leaves it open."""
    if not decisions:
        return "unlabelled"
    if credit is None:
        return "failed"
    if credit < 1.0 and "tie" in decisions and "wrong" not in decisions and "failed" not in decisions:
        return "tie"
    if len(decisions) == 1 and decisions[0] == "tie":
        return "tie"
    return "right" if credit >= 1.0 else "wrong" if credit <= 0.0 else "partly"


def all_right(decisions: Sequence[Decision]) -> float | None:
    """Return 1 when every comparison is right, 0 when one is not, None when only missing answers keep it from being right."""
    if any(decision in ("wrong", "tie") for decision in decisions):
        return 0.0
    return None if not decisions or "failed" in decisions else 1.0


def share_right(decisions: Sequence[Decision]) -> float | None:
    """Return the share of right comparisons, missing ones counting as not right; None when all are missing."""
    if not decisions or all(decision == "failed" for decision in decisions):
        return None
    return decisions.count("right") / len(decisions)


def _by_two(better: float | None, worse: float | None) -> Decision:
    if better is None or worse is None or math.isnan(better) or math.isnan(worse):
        return "failed"
    return "right" if better > worse else "tie" if better == worse else "wrong"


def _by_sum(games: Sequence[Game]) -> Decision:
    played = [game for game in games if game is not None]
    if not played:
        return "failed"
    total = sum(played)
    return "right" if total > 0 else "wrong" if total < 0 else "tie"
