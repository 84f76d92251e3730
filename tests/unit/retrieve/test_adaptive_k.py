import math

import pytest

from goldsmith.retrieve.adaptive_k import adaptive_k


@pytest.mark.parametrize(
    ("p", "article", "paper"),
    [
        # 8 (1 - p) by hand: 0.5 -> 4 (the paper still takes 8 there), 0.6 -> 3.2, 0.75 -> 2, 0.8 -> 1.6, 0.875 -> 1, 0.9 -> 0.8, 1 -> 0
        (0.0, 8, 8),
        (0.49, 8, 8),
        (0.5, 4, 8),
        (0.500001, 3, 4),
        (0.6, 3, 4),
        (0.75, 2, 2),
        (0.8, 1, 2),
        (0.875, 1, 1),
        (0.9, 0, 1),
        (0.999999, 0, 1),
        (1.0, 0, 0),
    ],
)
def test_hand_computed(p: float, article: int, paper: int) -> None:
    assert adaptive_k(p, "article") == article
    assert adaptive_k(p, "paper") == paper


def test_binary_rounding_does_not_cross_an_integer() -> None:
    # In floats 10 * (1 - 0.9) = 0.9999999999999998 and 10 * (1 - 0.7) = 3.0000000000000004.
    assert adaptive_k(0.9, "article", k_max=10) == 1
    assert adaptive_k(0.7, "paper", k_max=10) == 3


@pytest.mark.parametrize("p", [-0.01, 1.01, math.nan, math.inf])
def test_what_is_no_probability_is_refused(p: float) -> None:
    with pytest.raises(ValueError, match="no probability"):
        adaptive_k(p)


def test_unknown_rule_is_named() -> None:
    with pytest.raises(ValueError, match="article, paper"):
        adaptive_k(0.6, "letter")  # type: ignore[arg-type]
