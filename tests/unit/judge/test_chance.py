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
