"""The cross-check of a round's reward models with RewardBench: a drop since the round before that is more than chance.

The pipeline scores its best and its gold reward model on the set every round, keeps the items, and flags what came into gold since when
the paired interval of the difference lies below 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from goldsmith.benchdata.rewardbench import ID
from goldsmith.benchdata.suite import BenchmarkData, find_suite
from goldsmith.evaluate.engines.engine import Answer
from goldsmith.evaluate.paired import differences
from goldsmith.evaluate.result import ItemRecord
from goldsmith.evaluate.runner import item_record
from goldsmith.evaluate.scoring.rule import Settings
from goldsmith.evaluate.statistics import Estimate
from goldsmith.identity import unit_interval
from goldsmith.reward.grouping import Reply

Rate = Callable[[Sequence[Reply]], Sequence[float | None]]
"""From replies with their contexts to rewards, in order; None where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossCheck:
    """What became of the score.

    Attributes:
        difference: score of this round minus that of the round before, scale [-1, 1], with the paired 95 % interval.
        num_items: items that both rounds answered.
        is_drop: the interval lies wholly below 0: what came in since is to be looked at.
    """

    difference: Estimate
    num_items: int

    @property
    def is_drop(self) -> bool:
        """See the class."""
        return self.difference.high is not None and self.difference.high < 0


def rewardbench_items(path: str | Path, rate: Rate) -> list[ItemRecord]:
    """Return RewardBench's items as a model answers them.

    Args:
        path: its file or folder, or `hf:allenai/reward-bench:filtered`.
        rate: the model.

    Raises:
        DataError: the file does not have RewardBench's layout.
    """
    return rate_items(find_suite(None, [f"{ID}={path}"]).data[0], rate)


def rate_items(data: BenchmarkData, rate: Rate, most: int = 0) -> list[ItemRecord]:
    """Return at most `most` items (0: all), drawn by their ids, as a model answers them, in the benchmark's order.

    Raises:
        DataError: the file does not have RewardBench's layout.
    """
    items = list(data.items())
    if most:
        drawn = sorted(items, key=lambda item: unit_interval(f"cross-check:{item.item_id}", 0))[:most]
        chosen = {item.item_id for item in drawn}
        items = [item for item in items if item.item_id in chosen]
    scores = list(rate([Reply(item.context, reply, f"{ID} {item.item_id}") for item in items for reply in item.replies]))
    return [
        item_record(item, Answer(scores=scores[2 * place : 2 * place + 2]), item.text_ids(), item.context_id)
        for place, item in enumerate(items)
    ]


def cross_check(before: Sequence[ItemRecord], after: Sequence[ItemRecord], settings: Settings) -> CrossCheck:
    """Return the comparison of two rounds on the items that both answered."""
    found, alone = differences(ID, {"after": after, "before": before}, [("after", "before")], settings)["after", "before"]
    return CrossCheck(difference=found, num_items=(len(before) + len(after) - alone) // 2)
