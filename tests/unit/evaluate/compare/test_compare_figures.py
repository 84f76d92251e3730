"""What is written below a curve."""

import pytest

from goldsmith.evaluate.compare.figures import curve_ticks


@pytest.mark.parametrize(
    ("size", "ticks"),
    [(1, [1]), (2, [1, 2]), (3, [1, 2, 3]), (4, [1, 2, 4]), (5, [1, 2, 4, 5]), (9, [1, 2, 4, 9]), (32, [1, 2, 4, 8, 16, 32])],
)
def test_the_last_number_of_replies_is_written_below_a_curve(size: int, ticks: list[int]) -> None:
    assert curve_ticks(size) == ticks
