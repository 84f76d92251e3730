"""The parity report, by hand sums."""

from __future__ import annotations

import pytest

from goldsmith.errors import UserError
from goldsmith.export.parity import compare
from goldsmith.reward.rewards import Reward
from goldsmith.types import Pair


def _pair(name: str, label: str) -> Pair:
    pair = Pair.from_replies([{"role": "user", "content": name}], "a", "b", source="test")
    return pair.model_copy(update={"label": label})


def _rewards(*values: float | None, tokens: int = 10) -> list[Reward]:
    return [Reward(value=value, failure=None if value is not None else "no number", tokens=tokens) for value in values]


def test_differences_decisions_and_accuracy() -> None:
    pairs = [_pair("one", "first"), _pair("two", "second"), _pair("three", "first")]
    before = _rewards(2.0, 1.0, 0.0, 0.5, 1.0, 1.5)
    after = _rewards(1.8, 1.0, 0.6, 0.5, 1.1, 1.1)
    found = compare(pairs, before, after, way="w", arithmetic="a", pairs_from="p")
    # Differences 0.2, 0, 0.6, 0, 0.1, 0.4. The second pair turns round, and the third becomes a tie: both changed.
    assert found.overall.largest == pytest.approx(0.6)
    assert found.overall.mean == pytest.approx(1.3 / 6)
    assert (found.overall.pairs, found.overall.changed) == (3, 2)
    assert found.overall.changed_share == pytest.approx(2 / 3)
    # Before: right, right, wrong. After: right, wrong, a tie, which is not right.
    assert (found.accuracy_before, found.accuracy_after) == (pytest.approx(2 / 3), pytest.approx(1 / 3))


def test_rank_correlation_is_that_of_the_order_alone() -> None:
    # Ranks 1 2 3 4 against 2 1 4 3: d^2 sums to 4, rho = 1 - 6 * 4 / (4 * 15) = 0.6.
    found = compare(
        [_pair("one", "first"), _pair("two", "first")],
        _rewards(1.0, 2.0, 3.0, 40.0),
        _rewards(1.5, 1.0, 9.0, 8.0),
        way="w",
        arithmetic="a",
        pairs_from="p",
    )
    assert found.overall.spearman == pytest.approx(0.6)


def test_a_pair_belongs_to_the_length_of_its_longer_conversation() -> None:
    before = [*_rewards(1.0, tokens=256), *_rewards(2.0, tokens=257), *_rewards(1.0, 2.0, tokens=2000)]
    pairs = [_pair("one", "first"), _pair("two", "first")]
    found = compare(pairs, before, before, way="w", arithmetic="a", pairs_from="p")
    assert {name: told.pairs for name, told in found.by_length.items()} == {"<= 512": 1, "> 1024": 1}


def test_equal_rewards_are_no_decision_and_a_model_without_any_is_not_compared() -> None:
    pairs = [_pair("one", "tie"), _pair("two", "tie")]
    found = compare(pairs, _rewards(1.0, 1.0, 1.0, 0.0), _rewards(1.0, 1.2, 1.0, 0.0), way="w", arithmetic="a", pairs_from="p")
    assert (found.overall.pairs, found.overall.changed, found.accuracy_before) == (1, 0, None)
    with pytest.raises(UserError, match="p: the model prefers no reply of any pair"):
        compare(pairs, _rewards(1.0, 1.0, 2.0, 2.0), _rewards(1.0, 5.0, 2.0, 9.0), way="w", arithmetic="a", pairs_from="p")


def test_what_the_original_cannot_score_is_left_out_and_what_only_the_export_cannot_is_refused() -> None:
    pairs = [_pair("one", "first"), _pair("two", "first")]
    before = _rewards(1.0, None, 1.0, 0.0)
    assert compare(pairs, before, before, way="w", arithmetic="a", pairs_from="p").failed == 2
    with pytest.raises(UserError, match="no number; the export is refused"):
        compare(pairs, before, _rewards(1.0, 1.0, None, 0.0), way="w", arithmetic="a", pairs_from="p")
    with pytest.raises(UserError, match="can score no pair"):
        compare(pairs[:1], _rewards(None, None), _rewards(1.0, 1.0), way="w", arithmetic="a", pairs_from="p")
