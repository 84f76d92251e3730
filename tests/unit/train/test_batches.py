from __future__ import annotations

from transformers import AutoTokenizer

from goldsmith.reward.render import Renderer
from goldsmith.train.batches import Labels, make_units, plan_epoch, select_pairs, split_by_tokens
from goldsmith.types import Pair


def _renderer(tiny):
    return Renderer(AutoTokenizer.from_pretrained(str(tiny)))


def test_selection_takes_whole_contexts_and_no_ties(pairs):
    tie = Pair.from_replies([{"role": "user", "content": "tie?"}], "yes", "no", tie=True)
    assert {pair.pair_id for pair in select_pairs([*pairs, tie], None, 0)} == {pair.pair_id for pair in pairs}
    some = select_pairs(pairs, 5, 0)
    assert len(some) == 4  # contexts hold two pairs each
    assert len({pair.context_id for pair in some}) == 2
    assert select_pairs(pairs[::-1], 5, 0) == some  # the order of the input does not matter
    assert select_pairs(pairs, 5, 1) != some


def test_a_reply_of_several_pairs_is_one_row(tiny, pairs):
    units = make_units(pairs, _renderer(tiny), 32, share=True)
    assert len(units) == 6
    first = units[0]
    assert [reply.content for reply in first.replies] == ["red, please!", "red", "no 0"]
    assert (first.chosen, first.rejected) == ((0, 0), (1, 2))
    assert first.pair_ids == (pairs[0].pair_id, pairs[1].pair_id)


def test_a_large_context_becomes_several_units_and_weights_are_kept(tiny, pairs):
    units = make_units(pairs, _renderer(tiny), 1, share=True, labels=Labels(weights={pairs[1].pair_id: 0.5}))
    assert [unit.pair_ids for unit in units[:2]] == [(pairs[0].pair_id,), (pairs[1].pair_id,)]
    assert [unit.weights for unit in units[:2]] == [(1.0,), (0.5,)]


def test_an_epoch_visits_every_unit_once_in_batches():
    sizes = [3, 1, 4, 2, 9, 1, 2]
    steps = plan_epoch(sizes, 5, epoch=0, seed=0)
    assert sorted(unit for step in steps for unit in step) == list(range(7))
    assert all(sum(sizes[unit] for unit in step) <= 5 or len(step) == 1 for step in steps)
    assert steps == plan_epoch(sizes, 5, epoch=0, seed=0)
    assert steps != plan_epoch(sizes, 5, epoch=1, seed=0)
    assert steps != plan_epoch(sizes, 5, epoch=0, seed=1)


def test_pieces_keep_to_the_token_budget(tiny, pairs):
    units = make_units(pairs, _renderer(tiny), 32, share=True)
    tokens = [unit.group.tokens for unit in units]
    pieces = split_by_tokens(units, tokens[0] + tokens[1])
    assert [position for piece in pieces for position in piece] == list(range(6))
    assert pieces[0] == [0, 1]
    assert split_by_tokens(units, 1) == [[index] for index in range(6)]
