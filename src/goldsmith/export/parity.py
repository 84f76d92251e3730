"""Does an exported model decide as the original does? Scores side by side, over all conversations and by length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict

from goldsmith.errors import UserError
from goldsmith.evaluate.correlation import correlation
from goldsmith.reward.grouping import Progress, Reply

if TYPE_CHECKING:
    from goldsmith.reward.model import RewardModel
    from goldsmith.reward.rewards import Reward
    from goldsmith.types import Pair

EDGES = (256, 512, 1024)
"""Upper bounds, in tokens, of the lengths that are told apart; the last group is open."""


class Compared(BaseModel):
    """Differences of a set of conversations, and of the pairs whose longer one is in it.

    Attributes:
        conversations, largest, mean: scores, and the absolute differences from the original's.
        pairs, changed: pairs the original prefers a reply of, and how many of them the export decides otherwise (a tie is otherwise).
        spearman: rank correlation of the scores; None below three conversations, or where all scores are equal.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    conversations: int
    largest: float
    mean: float
    pairs: int
    changed: int
    spearman: float | None

    @property
    def changed_share(self) -> float:
        """Share of the decisions that changed, 0 where there are none."""
        return self.changed / self.pairs if self.pairs else 0.0


class Parity(BaseModel):
    """The parity report of one export.

    Attributes:
        way: runtime and weights.
        arithmetic: in which the comparison was computed.
        pairs_from: where the pairs come from.
        overall: all conversations.
        by_length: the same, by tokens: `<= 256` and so on, only where there are any.
        failed: conversations that the original cannot score either, which are left out.
        accuracy_before, accuracy_after: share of labelled pairs decided as labelled, None without labels.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: int = 1
    way: str
    arithmetic: str
    pairs_from: str
    overall: Compared
    by_length: dict[str, Compared]
    failed: int
    accuracy_before: float | None
    accuracy_after: float | None


def score_pairs(model: RewardModel, pairs: Sequence[Pair], progress: Progress | None = None) -> list[Reward]:
    """Return the rewards of the pairs' replies, `first` and `second` of each in turn."""
    replies = [Reply(pair.messages, content, pair.pair_id) for pair in pairs for content in (pair.first, pair.second)]
    return model.rate(replies, progress=progress)


def compare(
    pairs: Sequence[Pair], before: Sequence[Reward], after: Sequence[Reward], *, way: str, arithmetic: str, pairs_from: str
) -> Parity:
    """Return how the scores of an export differ from the original's.

    Args:
        pairs: N pairs.
        before: 2 N rewards of the original, as `score_pairs` gives them.
        after: likewise of the export.
        way: runtime and weights.
        arithmetic: of the comparison.
        pairs_from: name of the pairs' file.

    Raises:
        UserError: the export gives no number where the original does, no pair can be scored, or the original decides none.
    """
    sound = [index for index in range(len(pairs)) if all(before[2 * index + side].value is not None for side in (0, 1))]
    if not sound:
        raise UserError(f"{pairs_from}: the model can score no pair of it, so nothing can be compared; give others with --pairs")
    rows = [2 * index + side for index in sound for side in (0, 1)]
    lost = [row for row in rows if after[row].value is None]
    if lost:
        raise UserError(f"{way}: {after[lost[0]].failure}; the export is refused, as the original gives a number there")
    old, new = (np.array([rewards[row].value for row in rows], np.float64) for rewards in (before, after))
    tokens = np.array([before[row].tokens for row in rows])
    label = [pairs[index].label for index in sound]
    if (old[0::2] == old[1::2]).all():
        raise UserError(
            f"{pairs_from}: the model prefers no reply of any pair, so there is no decision that an export could keep; is its head lost? "
            "Train it again, or give other pairs with --pairs"
        )
    told = {name: _compared(old, new, chosen) for name, chosen in _lengths(tokens) if chosen.any()}
    return Parity(
        way=way,
        arithmetic=arithmetic,
        pairs_from=pairs_from,
        overall=_compared(old, new, np.ones(len(sound), bool)),
        by_length=told,
        failed=2 * (len(pairs) - len(sound)),
        accuracy_before=_accuracy(old, label),
        accuracy_after=_accuracy(new, label),
    )


def _lengths(tokens: np.ndarray) -> list[tuple[str, np.ndarray]]:
    longer = tokens.reshape(-1, 2).max(axis=1)
    bounds = [0, *EDGES, np.inf]
    names = [*(f"<= {edge}" for edge in EDGES), f"> {EDGES[-1]}"]
    return [(name, (longer > low) & (longer <= high)) for name, low, high in zip(names, bounds[:-1], bounds[1:], strict=True)]


def _compared(old: np.ndarray, new: np.ndarray, chosen: np.ndarray) -> Compared:
    both = np.repeat(chosen, 2)
    one, other = old[both], new[both]
    before, after = (values.reshape(-1, 2)[:, 0] - values.reshape(-1, 2)[:, 1] for values in (one, other))
    decided = before != 0
    apart = np.abs(one - other)
    return Compared(
        conversations=len(one),
        largest=float(apart.max()),
        mean=float(apart.mean()),
        pairs=int(decided.sum()),
        changed=int((np.sign(before) != np.sign(after))[decided].sum()),
        spearman=correlation(one.tolist(), other.tolist(), "spearman").value,
    )


def _accuracy(scores: np.ndarray, labels: Sequence[str]) -> float | None:
    margins = scores.reshape(-1, 2)[:, 0] - scores.reshape(-1, 2)[:, 1]
    right = [
        margin > 0 if label == "first" else margin < 0 for margin, label in zip(margins, labels, strict=True) if label != "tie"
    ]
    return float(np.mean(right)) if right else None
