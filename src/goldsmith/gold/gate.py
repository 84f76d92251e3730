"""A batch of voted pairs on its way into gold: what is waiting, what is disputed, what the gate says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from goldsmith.config.gold import GoldConfig
from goldsmith.gold.adjudicate import Outcome, adjudicate
from goldsmith.gold.agreement import Agreement, alpha_first, gate_outcome, together
from goldsmith.gold.votes import VoteStore
from goldsmith.types import Vote


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchResult:
    """One batch: each pair's outcome, the agreement over it, and whether it may enter gold."""

    batch: str
    outcomes: dict[str, Outcome]
    facts: dict[str, Any] = field(default_factory=dict)
    admitted: bool = True

    @property
    def open_pairs(self) -> list[str]:
        """Pairs that still need votes or an expert."""
        return [name for name, outcome in self.outcomes.items() if outcome.state in ("waiting", "disputed")]


def judge_batch(
    batch: str,
    votes: dict[str, list[Vote]],
    pair_ids: Sequence[str],
    config: GoldConfig,
    *,
    recorded: bool,
    seed: int,
    retest: Agreement | None = None,
) -> BatchResult:
    """Return what a batch's votes amount to and what the gate says.

    Args:
        batch: its name.
        votes: votes by pair id; pairs without any are waiting.
        pair_ids: the pairs of the batch.
        config: the rules.
        recorded: the votes come from a file; the gate then reports and does not enforce, unless told to.
        seed: of the bootstrap.
        retest: alpha of first verdicts against blind retests; None: the votes did not come through the room, which alone can ask again.
    """
    rules = {"votes_per_pair": config.votes_per_pair, "max_strength_gap": config.max_strength_gap}
    outcomes = {name: adjudicate(votes.get(name, []), **rules) for name in pair_ids}
    agreement = alpha_first([votes.get(name, []) for name in pair_ids], seed=seed)
    checks = [gate_outcome(agreement, config.min_alpha)]
    if retest is not None:
        checks.append(gate_outcome(retest, config.min_alpha))
    outcome = together(checks)
    enforced = config.enforce_gate if config.enforce_gate is not None else not recorded
    facts = {"batch": batch, **asdict(agreement), "outcome": outcome, "enforced": enforced, "recorded": recorded}
    if retest is not None:
        facts["alpha_retest"] = asdict(retest)
    return BatchResult(batch=batch, outcomes=outcomes, facts=facts, admitted=outcome == "pass" or not enforced)


def agreement_of(facts: dict[str, Any]) -> Agreement:
    """Return the first round's agreement of a result's facts."""
    return Agreement(**{name: facts[name] for name in ("alpha", "low", "high", "num_pairs")})


def open_items(store: VoteStore, config: GoldConfig) -> list[dict[str, Any]]:
    """Return the queue's items that still need a vote, each with `round` and `num_votes`; experts' first."""
    items = store.queue()
    votes = store.votes_of([item["pair_id"] for item in items])
    waiting, disputed = [], []
    for item in items:
        given = votes.get(item["pair_id"], [])
        outcome = adjudicate(given, votes_per_pair=config.votes_per_pair, max_strength_gap=config.max_strength_gap)
        if outcome.state == "disputed":
            disputed.append({**item, "round": "expert", "num_votes": outcome.num_votes})
        elif outcome.state == "waiting":
            waiting.append({**item, "round": "first", "num_votes": outcome.num_votes})
    return disputed + waiting
