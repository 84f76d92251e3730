"""From votes to a label: unanimous, majority, expert, or a dispute that waits for one (spec 4, human protocol)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from goldsmith.types import Vote

SIGN = {"first": 1, "second": -1, "tie": 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the votes of one pair amount to.

    `state` is `gold` (with `label` and `how`), `discarded`, `disputed` (an expert is needed) or `waiting` (votes are missing).
    """

    state: Literal["gold", "discarded", "disputed", "waiting"]
    label: Literal["first", "second", "tie"] | None = None
    how: Literal["unanimous", "majority", "expert"] | None = None
    num_votes: int = 0
    was_disputed: bool = False


def adjudicate(votes: Sequence[Vote], *, votes_per_pair: int, max_strength_gap: int) -> Outcome:
    """Return the outcome of one pair's votes.

    Args:
        votes: all votes of the pair; only rounds `first` and `expert` decide here.
        votes_per_pair: first-round votes that are needed, in order of vote id.
        max_strength_gap: largest allowed distance of signed strengths (first +1/+2, tie 0, second -1/-2).
    """
    first_round = [vote for vote in votes if vote.round == "first"][:votes_per_pair]
    experts = [vote for vote in votes if vote.round == "expert"]
    if len(first_round) < votes_per_pair:
        return Outcome(state="waiting", num_votes=len(first_round))
    count = len(first_round)
    if not is_disputed(first_round, max_strength_gap):
        choice, supporters = Counter(vote.choice for vote in first_round).most_common(1)[0]
        if choice == "discard":
            return Outcome(state="discarded", num_votes=count)
        return Outcome(state="gold", label=choice, how="unanimous" if supporters == count else "majority", num_votes=count)
    if not experts:
        return Outcome(state="disputed", num_votes=count, was_disputed=True)
    verdict = experts[-1].choice
    if verdict == "discard":
        return Outcome(state="discarded", num_votes=count + 1, was_disputed=True)
    return Outcome(state="gold", label=verdict, how="expert", num_votes=count + 1, was_disputed=True)


def is_disputed(votes: Sequence[Vote], max_strength_gap: int) -> bool:
    """Return whether first-round votes need an expert: no majority, a discard against a choice, or strengths too far apart."""
    choices = Counter(vote.choice for vote in votes)
    if choices.most_common(1)[0][1] * 2 <= len(votes):
        return True
    if 0 < choices["discard"] < len(votes):
        return True
    signed = [signed_strength(vote) for vote in votes if vote.choice != "discard"]
    return bool(signed) and max(signed) - min(signed) > max_strength_gap


def signed_strength(vote: Vote) -> int:
    """Return +1/+2 for first, -1/-2 for second, 0 for a tie; a strength of 0 on a side counts as 1."""
    return SIGN[vote.choice] * max(1, vote.strength)
