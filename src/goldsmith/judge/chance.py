"""Does a judge know more than a coin? Its test on gold train and validation, before any verdict of it is used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from goldsmith.judge.aggregate import aggregate
from goldsmith.judge.agreement import Proportion, cohen_kappa, wilson
from goldsmith.judge.run import count_failures
from goldsmith.types import Judgement, Pair, Verdict

CHANCE = 0.5


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
        position_first_share: share of its verdicts for a side that went to Candidate 1; 0.5 is fair.
        position_low: lower end of its Wilson interval.
        position_high: upper end.
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
    kappa: float | None
    verdict_failures: dict[str, int]
    beats_chance: bool


def test_judges(verdicts: Sequence[Verdict], gold: Sequence[Pair], names: Sequence[str]) -> list[JudgeTest]:
    """Return the test of every judge named, in that order.

    Args:
        verdicts: of any judges on any pairs.
        gold: pairs of gold train and validation with their human label; audit's are nobody's business here.
        names: the judges.
    """
    return [_test(name, gold, [verdict for verdict in verdicts if verdict.model == name]) for name in names]


def usable_judges(tests: Sequence[JudgeTest], *, insist: bool = False) -> list[str]:
    """Return the judges whose verdicts may be used: those that beat chance, or all of them for a user who insists."""
    return [test.model for test in tests if insist or test.beats_chance]


def _test(model: str, gold: Sequence[Pair], own: Sequence[Verdict]) -> JudgeTest:
    seen = {verdict.pair_id for verdict in own}
    judged = {judgement.pair_id: judgement for judgement in aggregate(own)}
    pairs = [(pair, judged.get(pair.pair_id)) for pair in gold if pair.pair_id in seen]
    sided = [(pair, judgement) for pair, judgement in pairs if pair.label != "tie" and judgement is not None]
    decided = [(pair, judgement) for pair, judgement in sided if judgement.choice in ("first", "second")]
    accuracy = wilson(sum(pair.label == judgement.choice for pair, judgement in decided), len(decided))
    position = _position(own)
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
        kappa=_kappa(pairs),
        verdict_failures=count_failures(own).get(model, {}),
        beats_chance=accuracy.low > CHANCE,
    )


def _position(verdicts: Sequence[Verdict]) -> Proportion:
    sided = [verdict for verdict in verdicts if verdict.choice in ("first", "second")]
    return wilson(sum(verdict.choice == verdict.shown_order[0] for verdict in sided), len(sided))


def _kappa(pairs: Sequence[tuple[Pair, Judgement | None]]) -> float | None:
    chosen = [
        (pair.label, judgement.choice) for pair, judgement in pairs if judgement is not None and judgement.choice != "abstain"
    ]
    return cohen_kappa([label for label, _ in chosen], [choice for _, choice in chosen])
