import random

import pytest

from goldsmith.judge.aggregate import aggregate, choose
from goldsmith.types import Verdict


def verdicts(model: str, *choices: str | None, pair_id: str = "p") -> list[Verdict]:
    return [
        Verdict(
            pair_id=pair_id,
            model=model,
            sample=at,
            shown_order=["first", "second"],
            choice=choice,
            failure=None if choice else "timeout",  # type: ignore[arg-type]
        )
        for at, choice in enumerate(choices)
    ]


def test_within_the_model_first() -> None:
    # Model x: 4 of 4 first -> 1.0; y: 1 of 1 second -> 0.0; mean 0.5, although 4 of 5 verdicts say first.
    (found,) = aggregate([*verdicts("x", "first", "first", "first", "first"), *verdicts("y", "second")])
    assert found.by_model == {"x": 1.0, "y": 0.0}
    assert found.p_first == 0.5
    assert found.choice == "abstain"


def test_hand_sums() -> None:
    # x: (2 + 1/2) / 4 = 0.625; y: 1/3 -> p = (0.625 + 0.3333) / 2 = 0.479166...
    (found,) = aggregate([*verdicts("x", "first", "first", "tie", "second"), *verdicts("y", "first", "second", "second")])
    assert found.p_first == pytest.approx(0.4791666667)
    # Shares: first (1/2 + 1/3) / 2 = 0.4167, second (1/4 + 2/3) / 2 = 0.4583, tie 1/8.
    assert found.choice == "second"


def test_failures_and_abstentions_never_count() -> None:
    (found,) = aggregate([*verdicts("x", "first", None, None, "abstain"), *verdicts("y", None)])
    assert found.by_model == {"x": 1.0}
    assert (found.choice, found.p_first) == ("first", 1.0)


def test_a_pair_without_a_usable_verdict_has_no_judgement() -> None:
    assert aggregate(verdicts("x", None, "abstain")) == []
    assert aggregate([]) == []


@pytest.mark.parametrize(
    ("shares", "choice"),
    [
        ((0.5, 0.5, 0.0), "abstain"),
        ((0.0, 0.0, 1.0), "tie"),
        ((0.3, 0.3, 0.4), "tie"),
        ((0.4, 0.4, 0.2), "abstain"),
        ((0.5, 0.0, 0.5), "first"),
        ((0.0, 0.6, 0.4), "second"),
        ((0.1 + 0.2, 0.3, 0.4 - 1e-17), "tie"),
        ((0.1 + 0.2, 0.3, 0.1), "abstain"),
    ],
)
def test_choice_of_shares(shares: tuple[float, float, float], choice: str) -> None:
    assert choose(*shares) == choice


def test_weights() -> None:
    both = [*verdicts("x", "first"), *verdicts("y", "second")]
    (found,) = aggregate(both, {"x": 3.0})
    # (3 * 1 + 1 * 0) / 4
    assert (found.p_first, found.choice) == (0.75, "first")


def test_order_of_verdicts_changes_nothing() -> None:
    some = [*verdicts("x", "first", "second", "tie"), *verdicts("y", "tie", "first"), *verdicts("x", "second", pair_id="q")]
    mixed = list(some)
    random.Random(3).shuffle(mixed)
    assert aggregate(mixed) == aggregate(some)
    assert [judgement.pair_id for judgement in aggregate(some)] == ["p", "q"]


def test_swapping_the_sides_swaps_the_judgement() -> None:
    other = {"first": "second", "second": "first", "tie": "tie"}
    choices = ["first", "tie", "second", "first", "first"]
    (found,) = aggregate(verdicts("x", *choices))
    (swapped,) = aggregate(verdicts("x", *(other[choice] for choice in choices)))
    assert swapped.p_first == pytest.approx(1.0 - found.p_first)
    assert swapped.choice == other[found.choice]
