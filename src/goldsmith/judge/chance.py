"""Does a judge know more than a coin? Its test on gold train and validation, before any verdict of it is used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import log

from goldsmith.evaluate.statistics import expected_calibration_error
from goldsmith.judge.aggregate import aggregate
from goldsmith.judge.agreement import Proportion, cohen_kappa, wilson
from goldsmith.judge.order import order_test
from goldsmith.judge.run import count_failures
from goldsmith.types import Judgement, Pair, Verdict

CHANCE = 0.5
LEAST_WEIGHT = 0.05
"""A model that is in use counts for something, however near to chance it is."""
Judged = tuple[Pair, Judgement | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskTest:
    """One judge against people on one group of tasks; fields as in `JudgeTest`."""

    task: str
    num_pairs: int
    num_decided: int
    num_correct: int
    accuracy: float | None
    low: float
    high: float
    kappa: float | None
    calibration_error: float | None
    position_first_share: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeTest:
    """One judge against people, on pairs of gold train and validation; flat, as the report reads it.

    Attributes:
        model: the judge.
        num_pairs: gold pairs on which it gave a verdict, failed ones included.
        num_decided: those on which people and judge both chose a side.
        num_correct: those on which it chose people's side.
        accuracy: num_correct / num_decided; None when it decided nothing.
        low: lower end of Wilson's 95 % interval.
        high: upper end.
        human_ties: pairs that people call a tie; in kappa, not in accuracy.
        ties: pairs that it calls a tie where people do not.
        abstained: pairs on which its own samples contradict each other.
        failed: pairs on which none of its samples brought a usable verdict.
        position_first_share: share of its verdicts for a side that went to Candidate 1, where the order is known; 0.5 is fair.
        position_low: lower end of its Wilson interval.
        position_high: upper end.
        num_both_orders: pairs with a verdict in both orders.
        same_choice: those of them on which both verdicts say the same.
        calibration_error: mean gap between its confidence, max(p_first, 1 - p_first), and how often it is right, over the pairs
            it decided, in 10 bins; None when it decided nothing.
        by_task: the same test by group of tasks, the largest first; empty where tasks are not known.
        kappa: Cohen's, over first, second and tie, where it chose one of them; None when undefined.
        verdict_failures: failed samples by kind.
        beats_chance: the interval of the accuracy lies above 0.5.
    """

    model: str
    num_pairs: int
    num_decided: int
    num_correct: int
    accuracy: float | None
    low: float
    high: float
    human_ties: int
    ties: int
    abstained: int
    failed: int
    position_first_share: float | None
    position_low: float
    position_high: float
    num_both_orders: int
    same_choice: int
    calibration_error: float | None
    kappa: float | None
    verdict_failures: dict[str, int]
    beats_chance: bool
    by_task: list[TaskTest] = field(default_factory=list)


def test_judges(
    verdicts: Sequence[Verdict],
    gold: Sequence[Pair],
    names: Sequence[str],
    tasks: Mapping[str, str] | None = None,  # noqa: PT028 - no test, a judge is tested
) -> list[JudgeTest]:
    """Return the test of every judge named, in that order.

    Args:
        verdicts: of any judges on any pairs.
        gold: pairs of gold train and validation with their human label; audit's are nobody's business here.
        names: the judges.
        tasks: task (`math/proof`) by pair id, for the tests by group of tasks.
    """
    return [_test(name, gold, [verdict for verdict in verdicts if verdict.model == name], None, tasks or {}) for name in names]


def together_test(
    verdicts: Sequence[Verdict],
    gold: Sequence[Pair],
    names: Sequence[str],
    weights: Mapping[str, float] | None = None,
    tasks: Mapping[str, str] | None = None,
) -> JudgeTest:
    """Return the test of several judges' aggregated judgement, as `test_judges`; its name is theirs, joined by `+`.

    The judges in use were chosen on the same pairs, so this is a little kinder than new pairs would be.
    """
    own = [verdict for verdict in verdicts if verdict.model in names]
    return _test("+".join(names), gold, own, weights, tasks or {})


def usable_judges(tests: Sequence[JudgeTest], *, insist: bool = False) -> list[str]:
    """Return the judges whose verdicts may be used: those that beat chance, or all of them for a user who insists."""
    return [test.model for test in tests if insist or test.beats_chance]


def accuracy_weights(tests: Sequence[JudgeTest]) -> dict[str, float]:
    """Return each model's weight: the log-odds of its accuracy on gold, one right and one wrong pair added; at least 0.05.

    For independent judges these are the weights of the best majority vote (Nitzan and Paroush 1982).
    """
    odds = {test.model: (test.num_correct + 1) / (test.num_decided - test.num_correct + 1) for test in tests}
    return {model: max(LEAST_WEIGHT, log(value)) for model, value in odds.items()}


def _test(
    model: str, gold: Sequence[Pair], own: Sequence[Verdict], weights: Mapping[str, float] | None, tasks: Mapping[str, str]
) -> JudgeTest:
    seen = {verdict.pair_id for verdict in own}
    judged = {judgement.pair_id: judgement for judgement in aggregate(own, weights)}
    pairs = [(pair, judged.get(pair.pair_id)) for pair in gold if pair.pair_id in seen]
    sided = [(pair, judgement) for pair, judgement in pairs if pair.label != "tie" and judgement is not None]
    accuracy, position, order = _accuracy(pairs), _position(own), order_test(own, gold)
    return JudgeTest(
        model=model,
        num_pairs=len(pairs),
        num_decided=accuracy.total,
        num_correct=accuracy.count,
        accuracy=accuracy.value,
        low=accuracy.low,
        high=accuracy.high,
        human_ties=sum(pair.label == "tie" for pair, _ in pairs),
        ties=sum(judgement.choice == "tie" for _, judgement in sided),
        abstained=sum(judgement is not None and judgement.choice == "abstain" for _, judgement in pairs),
        failed=sum(judgement is None for _, judgement in pairs),
        position_first_share=position.value,
        position_low=position.low,
        position_high=position.high,
        num_both_orders=order.num_pairs,
        same_choice=order.same_choice,
        calibration_error=_calibration_error(pairs),
        kappa=_kappa(pairs),
        verdict_failures=_failures(own),
        beats_chance=accuracy.low > CHANCE,
        by_task=_by_task(pairs, own, tasks),
    )


def _failures(verdicts: Sequence[Verdict]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for kinds in count_failures(verdicts).values():
        for kind, number in kinds.items():
            counts[kind] = counts.get(kind, 0) + number
    return counts


def _decided(pairs: Sequence[Judged]) -> list[tuple[bool, float]]:
    """Whether the judge was right, and its confidence, where people and judge both chose a side."""
    return [
        (pair.label == judgement.choice, max(judgement.p_first, 1.0 - judgement.p_first))
        for pair, judgement in pairs
        if pair.label != "tie" and judgement is not None and judgement.choice in ("first", "second")
    ]


def _accuracy(pairs: Sequence[Judged]) -> Proportion:
    decided = _decided(pairs)
    return wilson(sum(right for right, _ in decided), len(decided))


def _calibration_error(pairs: Sequence[Judged]) -> float | None:
    decided = _decided(pairs)
    return expected_calibration_error([confidence for _, confidence in decided], [right for right, _ in decided])


def _by_task(pairs: Sequence[Judged], own: Sequence[Verdict], tasks: Mapping[str, str]) -> list[TaskTest]:
    groups: dict[str, list[Judged]] = {}
    for pair, judgement in pairs:
        if pair.pair_id in tasks:
            groups.setdefault(tasks[pair.pair_id].partition("/")[0], []).append((pair, judgement))
    found = []
    for task, members in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])):
        accuracy, names = _accuracy(members), {pair.pair_id for pair, _ in members}
        found.append(
            TaskTest(
                task=task,
                num_pairs=len(members),
                num_decided=accuracy.total,
                num_correct=accuracy.count,
                accuracy=accuracy.value,
                low=accuracy.low,
                high=accuracy.high,
                kappa=_kappa(members),
                calibration_error=_calibration_error(members),
                position_first_share=_position([verdict for verdict in own if verdict.pair_id in names]).value,
            )
        )
    return found


def _position(verdicts: Sequence[Verdict]) -> Proportion:
    sided = [verdict for verdict in verdicts if verdict.choice in ("first", "second") and verdict.shown_order]
    return wilson(sum(verdict.choice == verdict.shown_order[0] for verdict in sided), len(sided))


def _kappa(pairs: Sequence[Judged]) -> float | None:
    chosen = [
        (pair.label, judgement.choice) for pair, judgement in pairs if judgement is not None and judgement.choice != "abstain"
    ]
    return cohen_kappa([label for label, _ in chosen], [choice for _, choice in chosen])
