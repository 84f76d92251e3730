"""Simulated annotators: three who err at different rates, and an expert for what they do not agree on.

Nobody looked at these pairs. Each vote is the checkers' verdict, turned round with the annotator's own probability, or a tie or
a discard now and then; every draw is a hash of the pair, the annotator and the seed.
"""

from __future__ import annotations

from typing import Any

from goldsmith.identity import unit_interval
from goldsmith.types import Pair, Vote

ERROR_RATES = {"ann-1": 0.02, "ann-2": 0.045, "ann-3": 0.085}
EXPERT, EXPERT_ERROR_RATE = "expert-1", 0.01
TIES, DISCARDS = 0.01, 0.01
"""Share of an annotator's votes; the expert gives neither."""
OTHER = {"first": "second", "second": "first"}
GROUNDS = {
    "arithmetic": "checked the number",
    "fact": "looked up the fact",
    "string": "compared letter by letter",
    "format": "only one keeps the form that was asked for",
    "code": "ran it in my head",
    "refusal": "weighed whether a refusal is in place",
    "turns": "read the earlier turns again",
    "chinese": "read the Chinese",
}


def votes_on(pair: Pair, truth: str, category: str, seed: int) -> list[Vote]:
    """Return the votes on a pair: three of the first round, and the expert's when those differ.

    Args:
        pair: the pair; its label plays no part.
        truth: the side that is right, `first` or `second`.
        category: the prompt's category, for the rationale.
        seed: of every draw.
    """
    first = [_vote(pair, truth, category, annotator, rate, seed) for annotator, rate in ERROR_RATES.items()]
    if len({vote.choice for vote in first}) == 1 and first[0].choice != "discard":
        return first
    return [*first, _vote(pair, truth, category, EXPERT, EXPERT_ERROR_RATE, seed)]


def _vote(pair: Pair, truth: str, category: str, annotator: str, error_rate: float, seed: int) -> Vote:
    def draw(what: str) -> float:
        return unit_interval(f"{what}:{annotator}:{pair.pair_id}", seed)

    choice = OTHER[truth] if draw("error") < error_rate else truth
    if annotator != EXPERT:
        odd = draw("odd")
        choice = "tie" if odd < TIES else "discard" if odd < TIES + DISCARDS else choice
    sure = choice == truth and draw("sure") < 0.7
    fields: dict[str, Any] = {
        "strength": 0 if choice in ("tie", "discard") else 2 if sure and draw("strong") < 0.5 else 1,
        "confidence": 3 if sure else 1 + int(2 * draw("confidence")),
        "rationale": GROUNDS[category.split("-")[0]],
        "shown_order": ["first", "second"] if draw("order") < 0.5 else ["second", "first"],
        "seconds": round(8 + 50 * draw("seconds") ** 2 + len(str(pair.first) + str(pair.second)) / 25, 1),
    }
    stage = "expert" if annotator == EXPERT else "first"
    vote_id = f"{pair.pair_id[:16]}:{annotator}"
    return Vote(vote_id=vote_id, pair_id=pair.pair_id, annotator=annotator, round=stage, choice=choice, **fields)
