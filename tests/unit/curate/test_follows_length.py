"""A model that follows length is named in whichever direction it does; one that leans a little is not."""

from __future__ import annotations

import numpy as np
import pytest

from goldsmith.curate.follows_length import LengthSums


def _preferring(longer: int, shorter: int) -> LengthSums:
    """Sums of pairs whose replies differ by the same length, so that the margin never correlates with it."""
    margin = np.array([1.0] * longer + [-1.0] * shorter)
    return LengthSums.of(margin, np.full(longer + shorter, 0.7))


@pytest.mark.parametrize(("longer", "side"), [(96, "longer"), (95, None), (50, None), (5, None), (4, "shorter"), (0, "shorter")])
def test_more_than_95_in_a_hundred_on_one_side_is_named(longer: int, side: str | None) -> None:
    sums = _preferring(longer, 100 - longer)
    assert sums.followed == side
    told = sums.warning("the reward model")
    if side is None:
        assert told is None
    else:
        share = max(longer, 100 - longer)
        assert told == (
            f"the reward model follows length: it prefers the {side} reply in {share}.0 % of 100 pairs; "
            f"its decisions are little more than '{side} wins'"
        )


@pytest.mark.parametrize(("sign", "side"), [(1.0, "longer"), (-1.0, "shorter")])
def test_a_margin_that_goes_with_length_either_way_is_named(sign: float, side: str) -> None:
    length = np.linspace(-1.0, 1.0, 100)
    # The margin is the length moved by 0.2, so ten pairs in a hundred prefer the other side: too many for the share to tell.
    sums = LengthSums.of(sign * (length + 0.2), length)
    assert sums.share is not None
    assert 0.05 < sums.share < 0.95
    assert sums.correlation == pytest.approx(sign, abs=0.01)
    assert sums.followed == side
    assert f"a correlation of {sums.correlation:.2f}" in str(sums.warning("the best RM"))
    assert sums.warning("the best RM").endswith(f"little more than '{side} wins'")  # type: ignore[union-attr]


def test_without_a_pair_that_tells_nothing_is_said() -> None:
    assert LengthSums.of(np.zeros(3), np.ones(3)).followed is None
    assert LengthSums.of(np.zeros(0), np.zeros(0)).warning("a model") is None
