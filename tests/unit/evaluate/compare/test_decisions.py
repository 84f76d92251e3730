"""Comparisons as columns, by hand; a judge's games by what it was shown."""

import math

import numpy as np

from goldsmith.evaluate.compare.decisions import decisions_of
from goldsmith.evaluate.compare.failures import MOST_SURPRISE, candidates
from goldsmith.evaluate.result import ItemRecord


def test_columns_of_an_item_with_two_comparisons() -> None:
    item = ItemRecord(
        benchmark="b", subset="s", item_id="i", prompt_id="p", outcome="partly", credit=0.5, good=[True, False, False], text_ids=list("abc"),
        scores=[1.0, 0.5, 3.0], comparisons=[(0, 1), (0, 2)], decisions=["right", "wrong"], chars=[5, 6, 7], marks=[1, 0, 2],
    )  # fmt: skip
    found = decisions_of([item])
    assert found.items == ["i#0-1", "i#0-2"]
    assert found.prompts == ["p", "p"]
    assert (found.signs.tolist(), found.margins.tolist()) == ([1, -1], [0.5, -2.0])
    assert (found.chars_right.tolist(), found.chars_wrong.tolist(), found.marks_wrong.tolist()) == ([5, 5], [6, 7], [0, 2])
    assert found.right_first.tolist() == [-1, -1]  # the benchmark shows no order
    assert found.num_failed == 0


def test_failed_comparisons_are_counted_and_not_rows() -> None:
    item = ItemRecord(
        benchmark="b", subset="s", item_id="i", prompt_id="p", outcome="failed", credit=None, good=[True, False], text_ids=["a", "b"],
        scores=[None, 1.0], comparisons=[(0, 1)], decisions=["failed"], chars=[1, 2], is_ordered=True,
    )  # fmt: skip
    found = decisions_of([item])
    assert (found.items, found.num_failed) == ([], 1)


def test_infinite_scores_of_a_stored_file_decide_but_have_no_margin() -> None:
    item = ItemRecord(
        benchmark="b", subset="s", item_id="i", prompt_id="p", outcome="right", credit=1.0, good=[False, True], text_ids=["a", "b"],
        scores=[-math.inf, 1.0], comparisons=[(1, 0)], decisions=["right"], chars=[1, 2], is_ordered=True,
    )  # fmt: skip
    found = decisions_of([item])
    assert found.signs.tolist() == [1]
    assert np.isnan(found.margins).all()
    assert found.right_first.tolist() == [0]


def test_scores_of_any_size_have_a_margin_or_none() -> None:
    item = ItemRecord(
        benchmark="b", subset="s", item_id="i", prompt_id="p", outcome="wrong", credit=0.0, good=[True, False], text_ids=["a", "b"],
        scores=[-1.7e308, 1.7e308], comparisons=[(0, 1)], decisions=["wrong"], chars=[1, 2],
    )  # fmt: skip
    small = item.model_copy(update={"item_id": "j", "scores": [0.0, 1e-300]})
    large = item.model_copy(update={"item_id": "k", "scores": [0.0, 1e300]})
    assert np.isnan(decisions_of([item]).margins).all()
    found = candidates([item, small, small, small, large])
    assert found[0].item.item_id == "k"
    assert found[0].surprise == MOST_SURPRISE  # 1e600 typical margins would be no number


def judged(right: int, games: list[int | None]) -> ItemRecord:
    return ItemRecord(
        benchmark="b", subset="s", item_id="i", prompt_id="p", outcome="right", credit=1.0, good=[right == 0, right == 1], text_ids=["a", "b"],
        comparisons=[(right, 1 - right)], decisions=["right"], games=[games], chars=[1, 2], is_ordered=True,
    )  # fmt: skip


def test_games_are_told_by_what_was_shown_first() -> None:
    # Game 0 shows the replies in the file's order, game 1 the other way round.
    assert decisions_of([judged(0, [1, -1])]).shown_first == (2, 2)  # right one first and taken; then second, and the other taken
    assert decisions_of([judged(1, [1, 1])]).shown_first == (1, 2)
    assert decisions_of([judged(1, [-1, 1])]).shown_first == (2, 2)
    assert decisions_of([judged(0, [0, None])]).shown_first == (0, 0)  # ties and failures have no winner
