"""The bootstrap of sums against closed forms and against the plain clustered mean."""

import numpy as np
import pytest

from goldsmith.evaluate.resample import bootstrap, bootstrap_all, interval, resampled_totals, share, totals_by_prompt
from goldsmith.evaluate.statistics import accuracy


def test_totals_add_up_by_prompt() -> None:
    totals = totals_by_prompt([[1, 10], [2, 20], [4, 40]], ["q", "p", "q"])
    assert totals.tolist() == [[2, 20], [5, 50]]  # prompts in the order of their ids: p, q


def test_a_share_has_the_interval_of_the_clustered_mean() -> None:
    correct, prompts = [1, 1, 1, 0] * 100, list(range(400))
    found = bootstrap(share(0, 1), np.stack([correct, np.ones(400)], axis=1), prompts, seed=1)
    half = 1.96 * (0.75 * 0.25 / 400) ** 0.5  # 0.0424
    assert found.value == 0.75
    assert (found.num_pairs, found.num_contexts) == (400, 400)
    assert found.low == pytest.approx(0.75 - half, abs=0.006)
    assert found.high == pytest.approx(0.75 + half, abs=0.006)
    plain = accuracy(correct, prompts, seed=1)
    assert (found.low, found.high) == pytest.approx((plain.low, plain.high), abs=0.006)


def test_pairs_of_one_prompt_move_together() -> None:
    # 100 prompts of four equal outcomes are as uncertain as 100 pairs: half = 1.96 sqrt(.75 .25 / 100) = 0.0849.
    correct = np.repeat([1, 1, 1, 0] * 25, 4)
    found = bootstrap(share(0, 1), np.stack([correct, np.ones(400)], axis=1), np.repeat(np.arange(100), 4), seed=2)
    assert found.high - found.low == pytest.approx(2 * 0.0849, abs=0.03)


def test_figures_of_one_call_rest_on_the_same_draws() -> None:
    values = np.random.default_rng(0).random((50, 2))
    figures = {"one": lambda s: s[..., 0], "twice": lambda s: 2 * s[..., 0]}
    found = bootstrap_all(figures, values, list(range(50)), seed=3)
    assert found["twice"].low == pytest.approx(2 * found["one"].low)
    assert found["twice"].high == pytest.approx(2 * found["one"].high)


def test_chunks_of_memory_do_not_change_how_often_a_prompt_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("goldsmith.evaluate.resample._CELLS_AT_ONCE", 70)
    drawn = resampled_totals(np.ones((10, 1)), seed=0, resamples=25)
    assert drawn.shape == (25, 1)
    assert (drawn == 10).all()  # every resample draws as many prompts as there are


def test_what_is_not_defined_has_no_value_and_says_why() -> None:
    assert bootstrap(share(0, 1), np.zeros((0, 2)), [], seed=0).reason == "no pairs"
    empty = bootstrap(share(0, 1), [[0, 0], [0, 0]], ["p", "q"], seed=0)
    assert (empty.value, empty.reason) == (None, "nothing to compare")
    single = bootstrap(share(0, 1), [[1, 1], [0, 1]], ["p", "p"], seed=0)
    assert (single.value, single.low) == (0.5, None)
    # One prompt of three holds all the weight: (2/3)^3 = 30 % of the resamples have none, so there is no interval.
    rare = bootstrap(share(0, 1), [[1, 1], [0, 0], [0, 0]], ["p", "q", "r"], seed=0)
    assert (rare.value, rare.low, rare.reason) == (1.0, None, "too few prompts for an interval")


def test_interval_needs_nine_finite_draws_in_ten() -> None:
    assert interval([0.0] * 95 + [np.nan] * 5) == (0.0, 0.0)
    assert interval([0.0] * 89 + [np.nan] * 11) is None
    assert interval([]) is None


def test_numbers_of_rows_and_prompts_must_agree() -> None:
    with pytest.raises(ValueError, match="3 rows but 2 prompts"):
        totals_by_prompt([[1], [2], [3]], ["p", "q"])
