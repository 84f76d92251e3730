"""Diversity within quota cells, by hand: unit vectors in a plane."""

from __future__ import annotations

import numpy as np

from goldsmith.curate.diverse import Picker


def _at(*degrees: float) -> np.ndarray:
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def _rows(*names: str) -> list[dict[str, str]]:
    return [{"name": name, "context_id": name[0]} for name in names]


def _picked(picker: Picker, size: int) -> list[str]:
    return [row["name"] for row in picker.pick(size)]


def test_the_least_alike_comes_next() -> None:
    picker = Picker(near_copies_above=1.0, diverse=True)
    picker.add_cell(_rows("a", "b", "c", "d"), _at(0, 10, 90, 45))
    # a leads (nothing is chosen yet); farthest from 0 is 90; then 45 is nearer to either (cos 45) than 10 is to 0 (cos 10).
    assert _picked(picker, 4) == ["a", "c", "d", "b"]


def test_cells_take_turns_and_the_order_given_counts_without_diversity() -> None:
    picker = Picker(near_copies_above=1.0, diverse=False)
    picker.add_cell(_rows("a", "b", "c"), _at(0, 1, 2))
    picker.add_cell(_rows("x"), _at(90))
    assert _picked(picker, 4) == ["a", "x", "b", "c"]


def test_near_copies_of_another_prompt_are_out_also_across_cells() -> None:
    # cos 5 degrees = 0.996 > 0.99; cos 10 = 0.985 is not.
    picker = Picker(near_copies_above=0.99, diverse=False)
    picker.add_cell(_rows("a", "b", "c"), _at(0, 5, 10))
    picker.add_cell(_rows("x"), _at(4))
    assert _picked(picker, 9) == ["a", "c"]
    assert picker.num_copies == 2


def test_a_second_pair_of_a_prompt_is_no_copy_but_waits() -> None:
    picker = Picker(near_copies_above=0.99, diverse=True)
    picker.add_cell(_rows("a1", "a2", "b"), _at(0, 0, 60))
    assert _picked(picker, 3) == ["a1", "b", "a2"]
    assert picker.num_copies == 0
