"""Noise transitions, the stack, and what is said of gold that cannot carry one; on data whose truth is known by construction."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest

from goldsmith.curate.evidence import FIRST, NONE, SECOND, sign
from goldsmith.curate.follows_length import LengthSums
from goldsmith.curate.gold_checks import fit_checked
from goldsmith.curate.stack import Gold, Stack, fit_stack
from goldsmith.curate.surface import Surface, surface
from goldsmith.curate.transition import Transition, fit_transition


def test_surface_counts_by_hand_and_changes_sign() -> None:
    one, other = "- a\n- b\n1. c", "**x**"
    found = surface([one, other], [other, one])
    # 12 characters against 5; two bullets and a numbered line against two `**`.
    assert (len(one), len(other)) == (12, 5)
    assert found.length.tolist() == pytest.approx([math.log(13 / 6), -math.log(13 / 6)])
    assert found.format.tolist() == pytest.approx([math.log(4 / 3), -math.log(4 / 3)])
    assert surface(["\ud800"], ["é"]).length.tolist() == [0.0]


def test_a_transitions_evidence_is_the_log_likelihood_ratio() -> None:
    # Right with probability 3/4 between equal replies: the ratio is 3, and a silent source has none.
    flat = Surface(length=np.zeros(4), format=np.zeros(4))
    uniform = Transition(truth=math.log(3), length=0.0, format=0.0, num_pairs=1, wrong=0.25)
    told = uniform.evidence(np.array([1.0, 0.0, np.nan, 0.5]), flat)
    assert told.tolist() == pytest.approx([math.log(3), -math.log(3), 0.0, 0.0])
    # A choice of the longer reply proves little from who likes long ones: P(first | +) = s(1+2), P(first | -) = s(-1+2).
    longer = Transition(truth=1.0, length=1.0, format=0.0, num_pairs=1, wrong=0.3)
    sigmoid = lambda x: 1 / (1 + math.exp(-x))
    for_long = longer.evidence(np.array([1.0]), Surface(length=np.array([2.0]), format=np.zeros(1)))
    for_short = longer.evidence(np.array([0.0]), Surface(length=np.array([2.0]), format=np.zeros(1)))
    assert for_long[0] == pytest.approx(math.log(sigmoid(3) / sigmoid(1)))
    assert for_short[0] == pytest.approx(math.log((1 - sigmoid(3)) / (1 - sigmoid(1))))
    assert abs(for_short[0]) > abs(for_long[0])
    assert longer.wrong_at(-2.0) == pytest.approx(sigmoid(1))


def test_a_transition_is_recovered_from_gold() -> None:
    rng = np.random.default_rng(1)
    count = 40_000
    truth = rng.choice([-1.0, 1.0], count)
    differs = Surface(length=rng.normal(size=count), format=rng.normal(size=count))
    p = 1 / (1 + np.exp(-(0.8 * truth + 1.5 * differs.length - 0.4 * differs.format)))
    said = (rng.random(count) < p).astype(float)
    said[:100] = np.nan
    found = fit_transition(said, truth, differs)
    assert found is not None
    assert (found.truth, found.length, found.format) == pytest.approx((0.8, 1.5, -0.4), abs=0.06)
    assert found.num_pairs == count - 100
    assert fit_transition(np.full(3, np.nan), truth[:3], differs.of(np.arange(3))) is None


def test_gold_without_an_error_does_not_prove_a_source_infallible() -> None:
    truth = np.ones(20)
    found = fit_transition(np.ones(20), truth, Surface(length=np.zeros(20), format=np.zeros(20)))
    assert found is not None
    # Twenty right of twenty: between the rule of three's 3/20 and certainty.
    assert 0.001 < found.wrong_at(0.0) < 0.15


def _world(count: int, seed: int, *, judge: float = 0.75, noise: float = 0.35, follows: float = 1.5) -> tuple[Gold, Any]:
    """Gold and its truth: labels that follow length, a judge, a best RM that learnt the labels, a gold RM that is weak but fair."""
    rng = np.random.default_rng(seed)
    truth = rng.choice([-1.0, 1.0], count)
    length = rng.normal(size=count) + 0.3 * truth
    odds = math.log((1 - noise) / noise)
    said = rng.random(count) < 1 / (1 + np.exp(-(odds * truth + follows * length)))
    right = rng.random(count) < judge
    known = Gold(
        truth=np.where(truth > 0, FIRST, SECOND).astype(np.int8),
        contexts=[f"c{number // 2}" for number in range(count)],
        label=np.where(said, FIRST, SECOND).astype(np.int8),
        best=0.7 * truth + 1.2 * length + rng.normal(size=count),
        gold=0.5 * truth + rng.normal(size=count),
        judged_p=np.where((truth > 0) == right, 1.0, 0.0),
        differs=Surface(length=length, format=rng.normal(size=count)),
    )
    return known, truth


def _p(stack: Stack, known: Gold) -> Any:
    return stack.p_first(known.label, known.best, known.gold, known.judged_p, known.differs)


def test_the_stack_beats_each_of_its_inputs_and_is_calibrated() -> None:
    known, _ = _world(300, seed=2)
    fitted = fit_stack(known, seed=0)
    fresh, truth = _world(20_000, seed=3)
    p = _p(fitted.stack, fresh)
    right = ((p > 0.5) == (truth > 0)).mean()
    alone = [
        ((values > 0) == (truth > 0)).mean()
        for values in (sign(fresh.label), fresh.best, fresh.gold, fresh.judged_p - 0.5, fresh.differs.length)
    ]
    assert right > max(alone) + 0.03
    assert fitted.accuracy == pytest.approx(right, abs=0.06)
    # Said 0.8 to 0.9 means right in 80 to 90 %, but for the noise of 300 gold pairs.
    sure = np.maximum(p, 1 - p)
    between = (sure > 0.8) & (sure < 0.9)
    assert ((p > 0.5) == (truth > 0))[between].mean() == pytest.approx(sure[between].mean(), abs=0.06)


def test_swapping_the_replies_mirrors_the_probability() -> None:
    known, _ = _world(200, seed=4)
    stack = fit_stack(known, seed=0).stack
    turned = dataclasses.replace(
        known, label=(FIRST + SECOND - known.label).astype(np.int8), best=-known.best, gold=-known.gold, judged_p=1 - known.judged_p,
        differs=Surface(length=-known.differs.length, format=-known.differs.format),
    )  # fmt: skip
    np.testing.assert_allclose(_p(stack, turned), 1 - _p(stack, known), atol=1e-12)
    assert Stack.from_dict(stack.to_dict()) == stack


def test_held_out_probabilities_do_not_know_their_own_pair() -> None:
    """With coin flips for gold there is nothing to learn; a stack that saw its own pairs would do better than chance."""
    known, _ = _world(60, seed=6)
    rng = np.random.default_rng(0)
    rights = []
    for seed in range(20):
        coin = dataclasses.replace(known, truth=rng.choice([FIRST, SECOND], 60).astype(np.int8))
        rights.append(fit_stack(coin, seed).accuracy)
    assert np.mean(rights) < 0.56


def test_an_input_that_gold_never_saw_counts_for_nothing_on_the_pool() -> None:
    known, _ = _world(100, seed=7)
    silent = dataclasses.replace(known, judged_p=np.full(100, np.nan))
    stack = fit_stack(silent, seed=0).stack
    assert stack.weight[1] == 0.0
    np.testing.assert_array_equal(_p(stack, known), _p(stack, silent))


def test_too_little_gold_changes_nothing_and_says_the_number() -> None:
    found = fit_checked(_world(19, seed=8)[0], seed=0)
    assert found.fitted is None
    assert "gold has 19 decided pairs" in found.statements[0]
    assert "20 are needed" in found.statements[0]
    assert fit_checked(_world(19, seed=8)[0].of(np.zeros(19, dtype=bool)), seed=0).fitted is None


def test_gold_of_one_class_changes_nothing() -> None:
    known, _ = _world(40, seed=9)
    found = fit_checked(dataclasses.replace(known, truth=np.full(40, FIRST, dtype=np.int8)), seed=0)
    assert found.fitted is None
    assert "stored as 'first' in all 40 pairs" in found.statements[0]


def test_gold_that_contradicts_itself_changes_nothing() -> None:
    known, _ = _world(60, seed=10)
    coin = np.random.default_rng(3).choice([FIRST, SECOND], 60).astype(np.int8)
    found = fit_checked(dataclasses.replace(known, truth=coin), seed=0)
    assert found.fitted is None
    assert "contradicts itself, or nothing here predicts it; every label stays as it came" in found.statements[0]


def test_a_judge_at_chance_counts_for_nothing_and_is_named() -> None:
    known, _ = _world(300, seed=11, judge=0.5)
    found = fit_checked(known, seed=0)
    assert found.fitted is not None
    assert found.fitted.stack.judges is None
    assert any("the judges are at chance" in text for text in found.statements)
    assert not any("the judges are at chance" in text for text in fit_checked(_world(300, seed=11)[0], seed=0).statements)


def test_a_model_that_follows_length_is_named_with_the_figures() -> None:
    known, _ = _world(200, seed=12)
    found = fit_checked(dataclasses.replace(known, best=2 * known.differs.length), seed=0)
    told = next(text for text in found.statements if "follows length" in text)
    assert told.startswith("the best RM follows length: it prefers the longer reply in 100.0 % of 200 pairs")
    assert "correlation of 0.9" in told


def test_labels_that_are_the_wrong_way_round_are_named() -> None:
    known, _ = _world(200, seed=13)
    found = fit_checked(dataclasses.replace(known, label=(FIRST + SECOND - known.truth).astype(np.int8)), seed=0)
    assert any("gold says the opposite of 200 of 200 labels" in text for text in found.statements)
    assert found.fitted is not None
    assert found.fitted.accuracy == 1.0


def test_pairs_that_came_with_votes_alone_have_no_label_to_learn_from() -> None:
    known, _ = _world(100, seed=14)
    stack = fit_stack(dataclasses.replace(known, label=np.full(100, NONE, dtype=np.int8)), seed=0).stack
    assert stack.label is None


def test_length_sums_by_hand_and_over_partitions() -> None:
    margin, length = np.array([1.0, -1.0, 2.0, 0.0]), np.array([0.5, 0.5, 1.0, 1.0])
    whole = LengthSums.of(margin, length)
    # The fourth margin is 0, so three are decided, of which the first and the third prefer the longer reply.
    assert (whole.decided, whole.longer) == (3, 2)
    assert whole.correlation == pytest.approx(np.corrcoef(np.tanh(margin / 2), length)[0, 1])
    parts = [LengthSums.of(margin[:1], length[:1]).to_dict(), LengthSums.of(margin[1:], length[1:]).to_dict()]
    assert LengthSums.total(parts).correlation == pytest.approx(whole.correlation)
    assert LengthSums().share is None
    assert LengthSums().correlation is None
