"""The part in words: every sentence stands where its case holds, and nowhere else."""

from typing import Any

import pytest

from goldsmith.evaluate.report.data import (
    AttributeQuality,
    Batch,
    Cost,
    Final,
    Gold,
    JudgeRow,
    Judges,
    ReportData,
    Round,
    SetResult,
    Stage2,
    Step,
)
from goldsmith.evaluate.report.words import NO_JUDGE, write_words
from goldsmith.evaluate.statistics import Estimate


def bare(**parts: Any) -> ReportData:
    return ReportData(title="t", created="2026-11-22", version="0", seed=0, **parts)


def said(data: ReportData, tone: str | None = None) -> str:
    return "\n".join(p.text for p in write_words(data) if tone in (None, p.tone))


def estimate(value: float, low: float | None, high: float | None, contexts: int = 400) -> Estimate:
    return Estimate(value=value, low=low, high=high, num_pairs=2 * contexts, num_contexts=contexts)


def final(difference: Estimate | None, **fields: Any) -> Final:
    models = {"curated": estimate(0.7, 0.68, 0.72), "raw": estimate(0.69, 0.67, 0.71)}
    one = SetResult(name="held-out", models=models, longer=estimate(0.6, 0.58, 0.62), difference=difference, **fields)
    return Final(sets=[one], pooled_difference=difference, pooled=models)


def judge(*, beats: bool, used: bool) -> Judges:
    return Judges(tests=[JudgeRow(model="m", num_pairs=60, accuracy=0.52, low=0.4, high=0.64, beats_chance=beats, used=used)])


def gold(outcome: str, *, enforced: bool = False, num: int = 500, **fields: Any) -> Gold:
    alpha = Batch(batch="all", alpha=0.8, low=0.7, high=0.9, outcome=outcome, enforced=enforced)
    return Gold(by_split={"train": num}, alpha_first=alpha, **fields)


def test_no_judge_beating_chance_opens_the_report_even_before_what_is_simulated() -> None:
    words = write_words(bare(judges=judge(beats=False, used=False), simulated=["the votes"]))
    assert words[0].text.startswith("No LLM judge beat chance on gold")
    assert words[0].text.startswith(NO_JUDGE)
    assert "52.0 % of 60 pairs" in words[0].text
    assert words[1].tone == "simulated"
    assert "stronger judge" in said(bare(judges=judge(beats=False, used=False)), "next")


def test_an_attribute_that_was_left_out_is_named_with_its_figures() -> None:
    good = AttributeQuality(
        source="classifier", attribute="task", num_pairs=200, accuracy=0.4, low=0.33, high=0.47, baseline=0.05, used=True
    )
    poor = AttributeQuality(
        source="classifier", attribute="controversiality", num_pairs=200, accuracy=0.735, low=0.67, high=0.79, baseline=0.705,
        kappa=0.24, kappa_low=0.1, kappa_high=0.37,
    )  # fmt: skip
    unmeasured = AttributeQuality(
        source="llm:m", attribute="guideline", reason="attributes.measure_llm is 0, so it was not measured"
    )
    own = AttributeQuality(source="classifier", attribute="objectivity", used=True, reason="not measured: another taxonomy")
    text = said(bare(attribute_quality=[good, poor, unmeasured, own]), "limit")
    assert "controversiality by classifier was left out of quotas and of the text of retrieval" in text
    assert "73.5 %, 95 % interval 67.0 to 79.0 %" in text
    assert "reaches 70.5 %" in text
    assert "guideline by llm:m was left out of quotas and of the text of retrieval: attributes.measure_llm is 0" in text
    assert "objectivity by classifier: not measured: another taxonomy" in text
    assert "task by" not in text
    assert "left out" not in said(bare(attribute_quality=[good]), "limit")


def test_simulated_parts_come_first_otherwise() -> None:
    words = write_words(bare(judges=judge(beats=True, used=True), simulated=["the votes", "the noise"], opening=["Mind this."]))
    assert words[0].tone == "simulated"
    assert "the votes; the noise" in words[0].text
    assert "Mind this." in [word.text for word in words]
    assert NO_JUDGE not in said(bare(judges=judge(beats=True, used=True)))


def test_a_weak_judge_that_is_used_all_the_same_is_named() -> None:
    text = said(bare(judges=judge(beats=False, used=True)), "alert")
    assert "insists on m" in text
    assert NO_JUDGE not in text


def test_a_judge_is_judged_by_the_pairs_it_decided() -> None:
    test = JudgeRow(model="m", num_pairs=60, num_decided=41, accuracy=0.7, low=0.6, high=0.8, beats_chance=True, used=True)
    assert "70.0 % of 41 pairs" in said(bare(judges=Judges(tests=[test])), "plain")


def test_no_judge_at_all_is_said_plainly() -> None:
    assert "No LLM judge was configured" in said(bare(judges=Judges(tests=[], reason="no judge is configured")), "plain")


def test_the_final_model_has_its_own_sentence_when_a_quicker_method_compared() -> None:
    one = final(estimate(0.03, 0.01, 0.05), above_longer=estimate(0.2, 0.1, 0.3))
    both = one.model_copy(update={"main": "final", "pooled": {**one.pooled, "final": estimate(0.83, 0.8, 0.86)}})
    text = said(bare(final=both), "result")
    assert "trained by the quick head method on curated pairs" in text
    assert "The final model, trained on the curated pairs by the configured method, ranks 83.0 % (80.0 to 86.0 %) of 800" in text
    assert "The final model beats the rule" in said(bare(final=both), "plain")


def test_no_gain_is_claimed_when_the_interval_includes_zero() -> None:
    text = said(bare(final=final(estimate(0.01, -0.01, 0.03))), "result")
    assert text.startswith("No gain from curation is shown")
    assert "includes 0" in text
    assert "helped" not in text


@pytest.mark.parametrize(
    ("difference", "verdict"),
    [
        (estimate(0.03, 0.01, 0.05), "Curation helped"),
        (estimate(-0.03, -0.05, -0.01), "Curation did harm"),
        (estimate(0.03, 0.0, 0.06), "No gain"),
        (estimate(0.03, None, None), "no interval can be given"),
    ],
)
def test_verdict_follows_the_interval(difference: Estimate, verdict: str) -> None:
    assert verdict in said(bare(final=final(difference)), "result")


def test_without_a_rival_nothing_is_said_about_gain() -> None:
    assert "cannot say whether curation helped" in said(bare(final=final(None)), "result")
    assert "not been evaluated yet" in said(bare(), "result")


def test_sets_that_disagree_are_told_apart() -> None:
    parts = []
    for name, difference in [
        ("up", estimate(0.1, 0.05, 0.15)),
        ("down", estimate(-0.1, -0.15, -0.05)),
        ("flat", estimate(0, -0.1, 0.1)),
    ]:
        parts.append(SetResult(name=name, models={}, longer=estimate(0.5, 0.4, 0.6), difference=difference))
    text = said(bare(final=Final(sets=parts, pooled_difference=estimate(0.0, -0.01, 0.01))), "result")
    assert "better on up, worse on down, not to be told apart on flat" in text


@pytest.mark.parametrize(
    ("above", "sentence", "tone"),
    [
        (estimate(0.1, 0.05, 0.15), "beats the rule “the longer reply wins” on held-out", "plain"),
        (estimate(0.01, -0.05, 0.06), "cannot be told apart from the rule", "limit"),
        (estimate(-0.1, -0.15, -0.05), "picking the longer reply does better", "limit"),
    ],
)
def test_the_longer_reply_is_the_yardstick(above: Estimate, sentence: str, tone: str) -> None:
    assert sentence in said(bare(final=final(None, above_longer=above)), tone)


@pytest.mark.parametrize(
    ("outcome", "enforced", "sentence", "tone"),
    [
        ("pass", False, "agree as the gate asks", "plain"),
        ("fail", False, "agree less than the gate asks", "limit"),
        ("fail", False, "these votes are gold all the same", "limit"),
        ("fail", True, "stay out of gold", "limit"),
        ("undecided", False, "is undecided", "limit"),
    ],
)
def test_the_gate_is_told_as_it_came_out(outcome: str, enforced: bool, sentence: str, tone: str) -> None:
    assert sentence in said(bare(gold=gold(outcome, enforced=enforced)), tone)


def test_batches_that_did_not_pass_are_counted() -> None:
    batches = [Batch(batch=str(i), outcome=o, enforced=True) for i, o in enumerate(["pass", "fail", "undecided", "fail"])]
    text = said(bare(gold=gold("pass", batches=batches)), "limit")
    assert "Of 4 batches of votes 2 failed the gate and 1 stayed undecided; 3 of them stayed out of gold." in text


def test_small_wide_failed_and_lost_are_said() -> None:
    small = SetResult(
        name="tiny", models={"curated": estimate(0.6, 0.4, 0.8, 20)}, longer=estimate(0.5, 0.4, 0.6), missing={"curated": 3}
    )
    data = bare(
        final=Final(sets=[small]), gold=gold("pass", num=40), cost=Cost(usage={"unknown": 2}),
        funnel=[Step(name="pool", total=5, kept=3, failed={"bad": 2})],
    )  # fmt: skip
    text = said(data, "limit")
    for piece in (
        "Gold is small: 40 pairs",
        "tiny (20 prompts)",
        "Wide intervals",
        "curated on tiny: 3",
        "2 pairs failed",
        "2 LLM calls",
    ):
        assert piece in text


def test_planted_noise_is_added_up() -> None:
    noise = {"reversed": {"unchanged": 10, "turned": 15, "dropped": 5}, "untouched": {"unchanged": 60, "turned": 4, "dropped": 6}}
    stage2 = Stage2.model_validate({"by_action": {"keep": 70, "flip": 19, "drop": 11}, "known_noise": noise})
    text = said(bare(stage2=stage2), "plain")
    # Before: 30 of 100 wrong. After: 10 left wrong + 4 made wrong, of 100 - 11 kept: 14 / 89 = 15.7 %.
    assert "30 labels (30.0 %)" in text
    assert "15.7 % of the curated labels are wrong by this measure, less noise than before" in text


def test_rounds_that_overlap_are_not_ranked() -> None:
    rounds = [
        Round(round=1, accuracy_validation=0.6, low=0.5, high=0.7, num_validation=90),
        Round(round=2, accuracy_validation=0.66, low=0.56, high=0.76, num_validation=90),
    ]
    assert "cannot be told apart" in said(bare(rounds=rounds, best_round=2))
    apart = [rounds[0], rounds[1].model_copy(update={"low": 0.75, "high": 0.9})]
    assert "cannot be told apart" not in said(bare(rounds=apart, best_round=2))


def test_advice_names_missing_stages_and_the_prompts_that_would_be_needed() -> None:
    assert "`goldsmith run` continues" in said(bare(), "next")
    text = said(bare(final=final(estimate(0.01, -0.01, 0.03))), "next")
    # Half width 2 points, difference 1 point: (2 / 1)^2 times the 400 prompts.
    assert "about 1,600 prompts" in text
    assert "close to 0" in said(bare(final=final(estimate(0.0001, -0.02, 0.02))), "next")


def test_a_full_report_reads_through(sample: ReportData) -> None:
    words = write_words(sample)
    assert {"alert", "simulated", "result", "plain", "limit", "next"} == {word.tone for word in words}
    assert all("None" not in word.text and "nan" not in word.text for word in words)


def test_a_judge_that_never_decides_is_told_by_its_position_bias() -> None:
    row = JudgeRow(model="m", num_pairs=50, num_decided=0, low=0.0, high=1.0, abstained=50, position_first_share=1.0)
    text = write_words(bare(judges=Judges(tests=[row])))[0].text
    assert "m decided none of 50 pairs: on 50 of them its choice turned with the order" in text
    assert "100.0 % of its verdicts" in text
    assert "of 0 pairs" not in text
