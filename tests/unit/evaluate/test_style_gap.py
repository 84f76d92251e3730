"""Easy, normal and hard by hand, against the rules' own figures."""

from collections.abc import Callable

import pytest

from goldsmith.evaluate.result import ItemRecord
from goldsmith.evaluate.style_gap import level_credits, style_gap

CELLS = [(i, 3 + j) for i in range(3) for j in range(3)]


def row(name: str, subset: str, is_right: Callable[[int, int], bool]) -> ItemRecord:
    decisions = ["right" if is_right(i, j - 3) else "wrong" for i, j in CELLS]
    return ItemRecord(
        benchmark="rm-bench", subset=subset, item_id=name, prompt_id=name, outcome="partly", credit=0.5, good=[True] * 3 + [False] * 3,
        text_ids=list("abcdef"), comparisons=CELLS, decisions=decisions,
    )  # fmt: skip


def test_levels_of_one_row_are_the_cells_of_the_rules() -> None:
    # Easy is M10, M20, M21; normal the diagonal; hard M01, M02, M12.
    assert level_credits(row("r", "chat", lambda i, j: (i, j) in {(1, 0), (2, 0), (1, 1), (0, 2)})) == pytest.approx(
        (2 / 3, 1 / 3, 1 / 3)
    )


def test_a_model_of_style_alone() -> None:
    found = style_gap([row(f"r{n}", "chat", lambda i, j: i > j) for n in range(5)], seed=0)
    assert found is not None
    assert (found.easy.value, found.normal.value, found.hard.value, found.gap.value) == (1.0, 0.0, 0.0, 1.0)


def test_domains_weigh_alike_and_safety_is_one() -> None:
    rows = [row("c", "chat", lambda i, j: True)]
    rows += [row(f"s{n}", "safety-refuse", lambda i, j: False) for n in range(3)] + [
        row("t", "safety-response", lambda i, j: i > j)
    ]
    found = style_gap(rows, seed=0)
    assert found is not None
    # Chat 1, safety 1/4 easy and 0 hard: means 5/8 and 1/2.
    assert (found.easy.value, found.hard.value) == pytest.approx((0.625, 0.5))
    assert found.gap.value == pytest.approx(0.125)


def test_nothing_without_rows() -> None:
    assert style_gap([], seed=0) is None
