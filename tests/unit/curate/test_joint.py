"""The joint estimate on pairs whose truth and noise are known by construction."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from goldsmith.curate.evidence import FIRST, SECOND
from goldsmith.curate.joint import Joint, fit_joint
from goldsmith.curate.joint_checks import Everything, fit_joint_checked
from goldsmith.curate.stack import Gold
from goldsmith.curate.surface import Surface
from goldsmith.curate.transition import fit_transition

COUNT = 1500
NOISE = {"label": (0.4, 1.2), "judges": (1.1, 0.6)}
"""Log-odds of a right choice, and what a unit of length adds."""


def _made(seed: int = 0, num_gold: int = 90) -> dict[str, Any]:
    """Pairs whose better reply is a direction of the features and often the longer one, and two sources that err by `NOISE`."""
    rng = np.random.default_rng(seed)
    differs = Surface(length=rng.normal(size=COUNT), format=np.zeros(COUNT))
    rows = rng.normal(size=(COUNT, 6))
    truth = np.where(rng.random(COUNT) < _sigmoid(2.0 * rows[:, 0] + 1.0 * differs.length), 1.0, -1.0)
    said = {
        name: (rng.random(COUNT) < _sigmoid(right * truth + lean * differs.length)).astype(float)
        for name, (right, lean) in NOISE.items()
    }
    human = np.where(np.arange(COUNT) < num_gold, (truth > 0).astype(float), np.nan)
    return {
        "rows": rows,
        "contexts": [f"c{at // 2}" for at in range(COUNT)],
        "said": said,
        "human": human,
        "differs": differs,
        "truth": truth,
    }


def _sigmoid(values: Any) -> Any:
    return 1.0 / (1.0 + np.exp(-np.asarray(values)))


def _fit(made: dict[str, Any], **changes: Any) -> Joint:
    made = made | changes
    return fit_joint(made["rows"], made["contexts"], made["said"], made["human"], made["differs"], 0)


def test_truth_and_noise_are_found_where_gold_alone_could_not_tell() -> None:
    made = _made()
    found = _fit(made)
    hidden = np.isnan(made["human"])
    right = ((found.p_first > 0.5) == (made["truth"] > 0))[hidden].mean()
    # Bayes' rule with the true model: about 82 %; the better of the two sources is right in 76 %.
    prior = 2.0 * made["rows"][:, 0] + made["differs"].length
    bayes = prior + sum(
        np.log(_sigmoid(side * (a + b * made["differs"].length)) / _sigmoid(side * (b * made["differs"].length - a)))
        for (a, b), side in ((NOISE[name], 2.0 * said - 1.0) for name, said in made["said"].items())
    )
    best = ((bayes > 0) == (made["truth"] > 0))[hidden].mean()
    assert 0.79 < best < 0.85
    assert right > best - 0.015
    for name, (truth, length) in NOISE.items():
        assert (found.transitions[name].truth, found.transitions[name].length) == pytest.approx((truth, length), abs=0.3)
    # By the two sources alone, under the noise that was found: no margin, no surface of the truth's own.
    both = sum(found.transitions[name].evidence(said, made["differs"]) for name, said in made["said"].items())
    np.testing.assert_allclose(found.said.together, np.clip(_sigmoid(both), 1e-4, 1 - 1e-4))
    # People agree with one of them more often, and it says something of every pair.
    hits = {name: np.mean(said[~hidden] == made["human"][~hidden]) for name, said in made["said"].items()}
    assert found.trust == tuple(sorted(hits, key=lambda name: -hits[name]))
    np.testing.assert_array_equal(found.said.trusted, made["said"][found.trust[0]])
    # What is said to be 80 to 90 % likely is right about that often.
    sure = np.maximum(found.p_first, 1.0 - found.p_first)[hidden]
    hit = ((found.p_first > 0.5) == (made["truth"] > 0))[hidden]
    middle = (sure > 0.8) & (sure < 0.9)
    assert hit[middle].mean() == pytest.approx(sure[middle].mean(), abs=0.07)


def test_swapped_replies_mirror_everything() -> None:
    made = _made(1)
    found = _fit(made)
    other = _fit(
        made, rows=-made["rows"], said={name: 1.0 - said for name, said in made["said"].items()}, human=1.0 - made["human"],
        differs=Surface(length=-made["differs"].length, format=-made["differs"].format),
    )  # fmt: skip
    np.testing.assert_allclose(other.p_first, 1.0 - found.p_first, atol=1e-6)


def test_a_truth_that_is_not_in_gold_plays_no_part_and_a_silent_source_is_absent() -> None:
    made = _made(2)
    made["said"] = {"label": made["said"]["label"], "judges": np.full(COUNT, np.nan)}
    found = _fit(made)
    assert set(found.transitions) == {"label"}
    assert np.isfinite(found.p_first).all()
    with pytest.raises(ValueError, match="a gold pair"):
        _fit(made, human=np.full(COUNT, np.nan))


def test_a_source_that_is_heard_on_some_pairs_only_is_used_there() -> None:
    made = _made(3)
    heard = np.arange(COUNT) % 3 == 0
    made["said"]["judges"] = np.where(heard, made["said"]["judges"], np.nan)
    found = _fit(made)
    hit = (found.p_first > 0.5) == (made["truth"] > 0)
    assert hit[heard].mean() > hit[~heard].mean()


def test_belief_of_one_is_knowledge_and_of_zero_the_opposite() -> None:
    made = _made(4)
    said, truth, differs = made["said"]["label"], made["truth"], made["differs"]
    known = fit_transition(said, truth, differs)
    assert fit_transition(said, truth, differs, np.ones(COUNT)) == known
    turned = fit_transition(said, -truth, differs, np.zeros(COUNT))
    assert turned is not None
    assert known is not None
    assert (turned.truth, turned.length, turned.wrong) == pytest.approx((known.truth, known.length, known.wrong), abs=1e-6)


def _checked(made: dict[str, Any], **changes: Any) -> Any:
    everything = Everything(
        differences=made["rows"], contexts=made["contexts"], label=made["said"]["label"], judged_p=made["said"]["judges"],
        human=made["human"], differs=made["differs"],
    )  # fmt: skip
    everything = dataclasses.replace(everything, **changes)
    rows = ~np.isnan(everything.human)
    gold = Gold(
        truth=np.where(everything.human[rows] > 0.5, FIRST, SECOND).astype(np.int8),
        contexts=[name for name, use in zip(made["contexts"], rows, strict=True) if use],
        label=np.where(everything.label[rows] > 0.5, FIRST, SECOND).astype(np.int8), best=made["rows"][rows, 1], gold=made["rows"][rows, 1],
        judged_p=everything.judged_p[rows], differs=made["differs"].of(rows),
    )  # fmt: skip
    return fit_joint_checked(everything, gold, 0, 5)


def test_gold_that_was_hidden_measures_it() -> None:
    found = _checked(_made(5))
    assert found.joint is not None
    assert found.facts["gold_pairs"] == 90
    assert found.facts["low"] > 0.6
    assert found.facts["judge_noise"]["wrong"] == pytest.approx(0.27, abs=0.08)


def test_bad_gold_and_bad_judges_are_named_and_change_nothing() -> None:
    made, rng = _made(6), np.random.default_rng(0)
    few = _checked(made, human=np.where(np.arange(COUNT) < 19, made["human"], np.nan))
    assert few.joint is None
    assert "gold has 19 decided pairs" in few.statements[0]
    one = _checked(made, human=np.where(np.isnan(made["human"]), np.nan, 1.0))
    assert one.joint is None
    assert "one class" in one.statements[0]
    coin = np.where(np.isnan(made["human"]), np.nan, rng.integers(0, 2, COUNT).astype(float))
    random = _checked(made, human=coin)
    assert random.joint is None
    assert "no better than a coin" in random.statements[0]
    deaf = _checked(made, judged_p=rng.integers(0, 2, COUNT).astype(float))
    assert deaf.joint is not None
    assert set(deaf.joint.transitions) == {"label"}
    assert "the judges are at chance" in deaf.statements[0]


@pytest.mark.parametrize("seed", [1, 3])
def test_a_head_that_has_learnt_nothing_yet_is_not_turned_round(seed: int) -> None:
    # Twenty gold pairs in thirty dimensions: the first held-out margins point the wrong way as often as not.
    rng = np.random.default_rng(seed)
    count = 1000
    length, rows = rng.normal(size=count), rng.normal(size=(count, 30))
    truth = np.where(rng.random(count) < _sigmoid(0.7 * rows[:, :8].sum(1)), 1.0, -1.0)
    said = {
        name: (rng.random(count) < _sigmoid(right * truth + lean * length)).astype(float)
        for name, right, lean in (("label", -0.5, 1.3), ("judges", 0.8, 0.8))
    }
    human = np.where(np.arange(count) < 20, (truth > 0).astype(float), np.nan)
    differs = Surface(length=length, format=np.zeros(count))
    found = fit_joint(rows, [f"c{at // 2}" for at in range(count)], said, human, differs, 0)
    assert found.rounds < 300
    assert ((found.margin > 0) == (truth > 0)).mean() > 0.65
    # Turned round, the estimate is right in 65 to 67 % of the pairs; Bayes' rule with the true model in about 80 %.
    assert ((found.p_first > 0.5) == (truth > 0)).mean() > 0.71
