from __future__ import annotations

import math

import pytest

from goldsmith.config.train import TrainConfig
from goldsmith.errors import UserError
from goldsmith.pool.sources.lists import RankedList
from goldsmith.train.file import BELIEF, EVIDENCE, TRUSTED
from goldsmith.train.material import gather, p_first_of
from goldsmith.types import Pair

HEAD = TrainConfig(method="head")


def _pair(word, chosen="yes", rejected="no", **fields):
    return Pair.from_replies([{"role": "user", "content": f"Say {word}."}], chosen, rejected, **fields)


def test_every_pair_given_is_kept_or_counted_with_a_reason():
    good = [_pair(str(number)) for number in range(6)]
    bad = [
        _pair("a", tie=True),
        _pair("b", rejected=" \n"),
        _pair("c", chosen="same", rejected="same"),
        _pair("held", rejected="nah"),
    ]
    lists = [RankedList.of([{"role": "user", "content": f"Say {word}."}], ["x", "y", "z"], [1, 2, 3]) for word in ("d", "held")]
    config = HEAD.model_copy(update={"max_pairs": 5})
    found = gather([*good, *bad], lists, config, 0, validation=[_pair("held")])
    counts = found.counts
    assert counts["dropped"] == {"empty-reply": 1, "identical-replies": 1, "validation-context": 2}
    assert counts["ties"] == 1
    # The list that is left counts for two pairs of at most five.
    assert counts["num_pairs"] + 2 * counts["num_lists"] <= 5
    assert counts["num_pairs"] + counts["num_lists"] + counts["left_out"] == 7
    assert found.digest == gather([*bad, *good[::-1]], lists[::-1], config, 0, validation=[_pair("held")]).digest
    assert len({gather(good, lists, config, seed).digest for seed in range(6)}) > 1


def test_a_probability_speaks_of_the_reply_that_was_labelled_as_chosen():
    first, second = _pair("a", "one", "two", meta={"p_chosen": 0.9}), _pair("b", "two", "one", meta={"p_chosen": 0.9})
    assert (first.label, second.label) == ("first", "second")
    p_first = p_first_of([first, second, _pair("c")], BELIEF)
    assert p_first == {first.pair_id: 0.9, second.pair_id: pytest.approx(0.1)}
    labels = gather([first, second], [], HEAD.model_copy(update={"soft_labels": True}), 0, p_first=p_first).labels
    assert (labels.target(first), labels.target(second)) == (0.9, pytest.approx(0.9))
    # Turned around by curation, the same pair's chosen reply wins with 0.1.
    turned = first.model_copy(update={"label": "second"})
    assert labels.target(turned) == pytest.approx(0.1)
    assert gather([first], [], HEAD, 0, p_first=p_first).labels.target(first) == 1.0  # soft labels are off


def test_where_people_correct_the_head_what_sources_say_is_learned_if_it_is_told():
    told = {"p_chosen": 0.9, "p_chosen_by_sources": 0.6, "p_chosen_by_trusted": 0.0}
    both, belief = _pair("a", "one", "two", meta=told), _pair("b", "one", "two", meta={"p_chosen": 0.8})
    assert (both.label, belief.label) == ("first", "first")
    evidence, trusted = p_first_of([both, belief], EVIDENCE), p_first_of([both, belief], TRUSTED)
    assert (evidence, trusted) == ({both.pair_id: 0.6, belief.pair_id: 0.8}, {both.pair_id: 0.0})
    with pytest.raises(UserError, match="p_chosen_by_sources is 'high'"):
        p_first_of([_pair("c", meta={"p_chosen": 0.9, "p_chosen_by_sources": "high"})], EVIDENCE)
    # The most trusted source calls the other reply the better one; a pair of which it says nothing has the evidence alone.
    others = [_pair(f"o{number}") for number in range(20)]
    config = HEAD.model_copy(update={"people": "correct", "soft_labels": True})
    given = {"p_first": evidence, "p_trusted": trusted, "people": {pair.pair_id for pair in others}}
    labels = gather([both, belief, *others], [], config, 0, **given).labels
    assert [(labels.target(pair), labels.evidence(pair)) for pair in (both, belief, others[0])] == [
        (0.0, 0.6),
        (0.8, 0.8),
        (1.0, 1.0),
    ]
    pooled = gather([both, belief, *others], [], config.model_copy(update={"people": "pooled"}), 0, **given).labels
    assert pooled.target(both) == 0.6


def test_a_pair_of_several_rows_has_the_loss_of_each_row_s_own_probability():
    # By hand, for the loss -p log s(m) - (1 - p) log s(-m) with m = r_first - r_second: rows that say 0.9 for the one reply and 0.7 for the
    # other are p = 0.9 and p = 0.3 of `first`, two rows of the mean 0.6 have the same sum; a row that says nothing is certain.
    one, other = _pair("a", "one", "two", meta={"p_chosen": 0.9}), _pair("a", "two", "one", meta={"p_chosen": 0.7})
    assert p_first_of([one, other], BELIEF) == {one.pair_id: pytest.approx(0.6)}
    assert p_first_of([one, _pair("a", "two", "one")], BELIEF) == {one.pair_id: pytest.approx(0.45)}
    assert p_first_of([_pair("a", "two", "one")], BELIEF) == {}
    labels = gather(
        [one, other], [], HEAD.model_copy(update={"soft_labels": True}), 0, p_first=p_first_of([one, other], BELIEF)
    ).labels
    assert (labels.target(one), labels.target(other)) == (pytest.approx(0.6), pytest.approx(0.4))


def test_what_weighs_nothing_is_counted_and_makes_no_step_of_its_own():
    pairs = [_pair("a"), _pair("b")]
    ranked = RankedList.of([{"role": "user", "content": "Say c."}], ["x", "y", "z"], [1, 2, 3])
    found = gather(pairs, [ranked], HEAD, 0, weights={pairs[0].pair_id: 0.0, ranked.list_id: 0.0})
    assert (found.pairs, found.lists, found.counts["dropped"]) == ([pairs[1]], [], {"weight-zero": 2})


def test_strength_is_a_margin_only_when_asked():
    pair, without = _pair("a", strength=1.5), _pair("b")
    asked = HEAD.model_copy(update={"method": "full", "margins": "strength", "margin_scale": 2.0})
    found = gather([pair, without], [], asked, 0)
    assert (found.labels.margin(pair), found.labels.margin(without)) == (3.0, 0.0)
    assert found.counts["without_strength"] == 1
    assert gather([pair], [], HEAD, 0).labels.margin(pair) == 0.0


@pytest.mark.parametrize(
    ("fields", "config", "message"),
    [
        ({"strength": -1.0}, {"margins": "strength"}, r"pool.jsonl:3: pair \w+: strength -1.0 cannot be a margin"),
        ({"strength": math.inf}, {"margins": "strength"}, "strength inf cannot be a margin"),
        (
            {"meta": {"p_chosen": 1.5}},
            {"soft_labels": True},
            r"pool.jsonl:3: pair \w+: p_chosen is 1.5; expected a number between 0 and 1",
        ),
        ({"meta": {"p_chosen": math.nan}}, {"soft_labels": True}, "p_chosen is nan; expected a number"),
        ({"meta": {"p_chosen": "high"}}, {"soft_labels": True}, "p_chosen is 'high'; expected a number"),
    ],
)
def test_a_value_that_cannot_be_learned_is_named(fields, config, message):
    pair = _pair("a", source_ref="pool.jsonl:3", **fields)
    with pytest.raises(UserError, match=message):
        gather([pair], [], HEAD.model_copy(update=config), 0, p_first=p_first_of([pair], BELIEF))


def test_nothing_left_says_why():
    with pytest.raises(UserError, match=r"nothing to train on: 2 pairs, 1 of them ties, 0 lists, dropped \{'empty-reply': 1\}"):
        gather([_pair("a", tie=True), _pair("b", rejected="")], [], HEAD, 0)
    with pytest.raises(UserError, match=r"dropped \{'validation-context': 1\}; give validation pairs of other prompts"):
        gather([_pair("a")], [], HEAD, 0, validation=[_pair("a")])
