import pytest

from goldsmith.judge.sample import draw_samples, shown_first_of

PAIRS = [f"pair-{n}" for n in range(2000)]


@pytest.mark.parametrize("count", [2, 4, 8])
def test_half_in_each_order(count: int) -> None:
    for name in PAIRS[:50]:
        samples = draw_samples(name, "judge", count, seed=1)
        assert [sample.number for sample in samples] == list(range(count))
        assert sum(sample.shown_first == "first" for sample in samples) == count // 2


@pytest.mark.parametrize("count", [1, 3])
def test_the_odd_one_is_random(count: int) -> None:
    surplus = sum(
        1 if sum(sample.shown_first == "first" for sample in draw_samples(name, "judge", count, seed=1)) > count / 2 else 0
        for name in PAIRS
    )
    # 2,000 fair coins: 5 standard deviations are 5 * sqrt(500) = 112.
    assert abs(surplus - 1000) < 112


def test_draws_depend_on_pair_model_and_seed_alone() -> None:
    base = draw_samples("p", "judge", 4, seed=1)
    assert draw_samples("p", "judge", 4, seed=1) == base
    seeds = {
        tuple(sample.seed for sample in draw_samples(*key, 4, seed=seed))
        for key in (("p", "judge"), ("q", "judge"), ("p", "other"))
        for seed in (1, 2)
    }
    assert len(seeds) == 6
    assert len({sample.seed for sample in base}) == 4


def test_more_than_one_sample_per_order_needs_a_temperature() -> None:
    assert {sample.temperature for sample in draw_samples("p", "j", 2, seed=0)} == {0.0}
    assert all(sample.temperature > 0 for sample in draw_samples("p", "j", 3, seed=0))


def test_order_shown() -> None:
    for sample in draw_samples("p", "j", 2, seed=0):
        assert sample.shown_order[0] == sample.shown_first
        assert sorted(sample.shown_order) == ["first", "second"]


def test_examples_are_shown_in_both_orders() -> None:
    assert abs(sum(shown_first_of(name, 0) == "first" for name in PAIRS) - 1000) < 112
