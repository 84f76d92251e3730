"""Does a judge say the same when the replies change places? Counts over pairs that were judged in both orders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from goldsmith.types import Pair, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderTest:
    """One judge's first verdict in each of the two orders, against people's label.

    Attributes:
        num_pairs: pairs with a verdict in both orders, failed ones included.
        correct_by_sample: pairs it got right in its earlier sample, and in its later one.
        correct_in_both: pairs it got right in both.
        same_choice: pairs on which both verdicts are the same choice; a failed one is the same as nothing.
        mean_accuracy: mean of both orders' shares of right pairs, a failure counting as not right; None without pairs.
    """

    num_pairs: int
    correct_by_sample: tuple[int, int]
    correct_in_both: int
    same_choice: int

    @property
    def mean_accuracy(self) -> float | None:
        """See the class."""
        return sum(self.correct_by_sample) / (2 * self.num_pairs) if self.num_pairs else None


def order_test(verdicts: Sequence[Verdict], gold: Sequence[Pair]) -> OrderTest:
    """Return the test of one judge's verdicts on pairs with people's label.

    Args:
        verdicts: of one judge; those whose file does not tell the order are left out.
        gold: labelled pairs.
    """
    first_in: dict[str, dict[str, Verdict]] = {}
    for verdict in sorted(verdicts, key=lambda item: item.sample):
        if verdict.shown_order:
            first_in.setdefault(verdict.pair_id, {}).setdefault(verdict.shown_order[0], verdict)
    labels = {pair.pair_id: pair.label for pair in gold}
    both = [(labels[name], list(found.values())) for name, found in first_in.items() if name in labels and len(found) == 2]
    right = [[verdict.choice == label for verdict in found] for label, found in both]
    return OrderTest(
        num_pairs=len(both),
        correct_by_sample=(sum(row[0] for row in right), sum(row[1] for row in right)),
        correct_in_both=sum(all(row) for row in right),
        same_choice=sum(found[0].choice == found[1].choice is not None for _, found in both),
    )
