import pytest

from goldsmith.judge import chance
from goldsmith.types import Pair, Verdict


def gold(number: int, label: str = "first") -> Pair:
    pair = Pair.from_replies([{"role": "user", "content": f"question {number}"}], "a", "b", tie=label == "tie")
    return pair if label == "tie" else pair.model_copy(update={"label": label})


def says(pair: Pair, choice: str | None, *, sample: int = 0, shown: str = "first", model: str = "judge") -> Verdict:
    other = "second" if shown == "first" else "first"
    return Verdict(
        pair_id=pair.pair_id,
        model=model,
        sample=sample,
        shown_order=[shown, other],
        choice=choice,
        failure=None if choice else "timeout",  # type: ignore[arg-type, list-item]
    )


def test_everything_is_counted_apart() -> None:
    pairs = [gold(0), gold(1), gold(2, "second"), gold(3), gold(4), gold(5, "tie"), gold(6), gold(7)]
    verdicts = [
        says(pairs[0], "first"),
        says(pairs[1], "second", shown="second"),
        says(pairs[2], "second"),
        says(pairs[3], "tie"),
        says(pairs[4], "first"),
        says(pairs[4], "second", sample=1, shown="second"),
        says(pairs[5], "tie"),
        says(pairs[6], None),
    ]
    (test,) = chance.test_judges(verdicts, pairs, ["judge"])
    # Pair 7 was not judged at all. Decided: 0 right, 1 wrong, 2 right.
    assert test.num_pairs == 7
    assert (test.num_correct, test.num_decided) == (2, 3)
    assert test.accuracy == 2 / 3
    assert (test.human_ties, test.ties, test.abstained, test.failed) == (1, 1, 1, 1)
    assert test.verdict_failures == {"timeout": 1}
    # Sided verdicts: 0 (Candidate 1), 1 (Candidate 1), 2 (Candidate 2), 4 (Candidate 1), 4 (Candidate 1).
    assert test.position_first_share == 4 / 5
    # Kappa over (human, judge): ff, fs, ss, ft, tt: observed 3/5; expected (3*1 + 1*2 + 1*2) / 25 = 0.28; (0.6 - 0.28) / 0.72.
    assert test.kappa is not None
    assert round(test.kappa, 6) == round(0.32 / 0.72, 6)
    assert not test.beats_chance


def test_beating_chance_needs_the_whole_interval_above_a_half() -> None:
    pairs = [gold(number) for number in range(100)]

    def judge(right: int) -> chance.JudgeTest:
        return chance.test_judges(
            [says(pair, "first" if at < right else "second") for at, pair in enumerate(pairs)], pairs, ["judge"]
        )[0]

    # Wilson at n = 100: 60 right gives 0.502 at the lower end, 59 gives 0.492.
    assert judge(60).beats_chance
    assert not judge(59).beats_chance
    # Systematically wrong is not useful either: nobody turned it round beforehand.
    assert not judge(0).beats_chance


def test_a_judge_without_verdicts_does_not_pass() -> None:
    (test,) = chance.test_judges([], [gold(0)], ["judge"])
    assert (test.num_pairs, test.accuracy, test.kappa, test.beats_chance) == (0, None, None, False)


def test_usable_judges_and_those_who_insist() -> None:
    pairs = [gold(number) for number in range(100)]
    verdicts = [says(pair, "first", model="good") for pair in pairs]
    verdicts += [says(pair, "first" if at % 2 else "second", model="coin") for at, pair in enumerate(pairs)]
    tests = chance.test_judges(verdicts, pairs, ["coin", "good"])
    assert [test.model for test in tests] == ["coin", "good"]
    assert chance.usable_judges(tests) == ["good"]
    assert chance.usable_judges(tests, insist=True) == ["coin", "good"]


def test_agreement_by_group_of_tasks_order_and_calibration() -> None:
    """Hand sums: six pairs, three of math (2 right), two of writing (1 right of 1 decided), one without a task."""
    gold = [Pair.from_replies([{"role": "user", "content": str(at)}], "a", "b") for at in range(6)]
    tasks = dict(
        zip([pair.pair_id for pair in gold], ["math/proof", "math/sum", "math/sum", "writing/poem", "writing/poem"], strict=False)
    )
    choices = [
        ("first", "first"),
        ("first", "first"),
        ("second", "second"),
        ("first", "tie"),
        ("first", "second"),
        ("first", None),
    ]
    verdicts = [
        Verdict(
            pair_id=pair.pair_id, model="m", sample=sample, shown_order=["first", "second"] if sample == 0 else ["second", "first"],
            choice=choice, failure=None if choice else "timeout",
        )
        for pair, both in zip(gold, choices, strict=True)
        for sample, choice in enumerate(both)
    ]  # fmt: skip
    (test,) = chance.test_judges(verdicts, gold, ["m"], tasks)
    assert [(row.task, row.num_pairs, row.num_decided, row.num_correct) for row in test.by_task] == [
        ("math", 3, 3, 2),
        ("writing", 2, 1, 1),
    ]
    # Math's three pairs got the same reply in both orders, so half went to Candidate 1; writing's three verdicts for a side all did.
    # Confidences there are 1.0 three times, two right; writing's one is 0.75 and right.
    assert [row.position_first_share for row in test.by_task] == [0.5, 1.0]
    assert [row.calibration_error for row in test.by_task] == [pytest.approx(1 / 3), pytest.approx(0.25)]
    # first + tie: shares 0.5 and 0.5 of a tie, p = 0.75, decided for first. Five decided, four right.
    assert (test.num_decided, test.num_correct, test.abstained) == (5, 4, 1)
    # Confidences: four of 1.0 (three right), one of 0.75 (right): |4 - 3| + |0.75 - 1| over five.
    assert test.calibration_error == pytest.approx(1.25 / 5)
    assert (test.num_both_orders, test.same_choice) == (6, 3)


def test_weights_are_log_odds_and_never_nothing() -> None:
    gold = [Pair.from_replies([{"role": "user", "content": str(at)}], "a", "b") for at in range(10)]

    def verdict(pair: Pair, model: str, right: bool) -> Verdict:
        return Verdict(
            pair_id=pair.pair_id, model=model, sample=0, shown_order=["first", "second"], choice="first" if right else "second"
        )

    verdicts = [verdict(pair, "good", at < 8) for at, pair in enumerate(gold)] + [
        verdict(pair, "bad", at < 3) for at, pair in enumerate(gold)
    ]
    weights = chance.accuracy_weights(chance.test_judges(verdicts, gold, ["good", "bad"]))
    # 8 of 10 right: log(9 / 3); 3 of 10: log(4 / 8) is below 0, so the least weight.
    assert weights == {"good": pytest.approx(1.0986123), "bad": 0.05}
    together = chance.together_test(verdicts, gold, ["bad", "good"], weights)
    assert (together.model, together.num_correct, together.num_decided) == ("bad+good", 8, 10)
    # Without weights the two cancel out where they differ (pairs 3 to 7).
    assert chance.together_test(verdicts, gold, ["bad", "good"]).abstained == 5


def test_a_verdict_whose_order_is_not_told_says_nothing_of_position() -> None:
    pair = Pair.from_replies([{"role": "user", "content": "q"}], "a", "b")
    (test,) = chance.test_judges(
        [Verdict(pair_id=pair.pair_id, model="m", sample=0, shown_order=[], choice="first")], [pair], ["m"]
    )
    assert (test.position_first_share, test.num_both_orders, test.num_correct) == (None, 0, 1)
