from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsmith.serve.prefix_cache import PrefixTree

IDS = st.lists(st.integers(0, 2), min_size=1, max_size=8).map(tuple)


def _states(ids: tuple[int, ...], begin: int = 0) -> torch.Tensor:
    """States that name the path to each token: a sum no other path gives."""
    sums = [sum((token + 1) * 4**place for place, token in enumerate(ids[: end + 1])) for end in range(begin, len(ids))]
    return torch.tensor(sums, dtype=torch.float64).reshape(1, 1, 1, -1, 1)


def _kept(tree: PrefixTree, ids: tuple[int, ...]) -> int:
    length, found = tree.match(ids)
    assert (found is None) == (length == 0)
    assert found is None or torch.equal(found, _states(ids[:length]))
    return length


def test_what_was_kept_is_found_as_far_as_it_goes() -> None:
    tree = PrefixTree(100)
    tree.insert((1, 2, 3), 0, _states((1, 2, 3)))
    assert _kept(tree, (1, 2, 3, 4)) == 3
    assert _kept(tree, (1, 2, 9)) == 2
    assert _kept(tree, (9,)) == 0


def test_a_branch_shares_its_trunk() -> None:
    tree = PrefixTree(100)
    tree.insert((1, 2, 3), 0, _states((1, 2, 3)))
    tree.insert((1, 2, 0, 1), 0, _states((1, 2, 0, 1)))
    # 1 2, then 3 and 0 1.
    assert tree.num_tokens == 5
    assert _kept(tree, (1, 2, 3)) == 3
    assert _kept(tree, (1, 2, 0, 1)) == 4


def test_the_longest_unused_goes_first_and_what_others_stand_on_stays() -> None:
    tree = PrefixTree(6)
    tree.insert((1, 1), 0, _states((1, 1)))
    tree.insert((1, 1, 2, 2), 2, _states((1, 1, 2, 2), 2))
    tree.insert((2, 2), 0, _states((2, 2)))
    assert _kept(tree, (1, 1, 2, 2)) == 4
    tree.insert((0, 0), 0, _states((0, 0)))
    assert _kept(tree, (2, 2)) == 0
    assert _kept(tree, (1, 1, 2, 2)) == 4
    assert tree.num_tokens == 6


def test_states_whose_beginning_is_gone_are_not_kept() -> None:
    tree = PrefixTree(100)
    tree.insert((1, 2, 3), 2, _states((1, 2, 3), 2))
    assert tree.num_tokens == 0


def test_what_is_larger_than_the_bound_is_not_kept() -> None:
    tree = PrefixTree(2)
    tree.insert((1, 2, 0), 0, _states((1, 2, 0)))
    assert tree.num_tokens == 0


def test_what_was_found_stays_as_it_is_when_its_place_is_used_again() -> None:
    tree = PrefixTree(2)
    tree.insert((1, 1), 0, _states((1, 1)))
    _, found = tree.match((1, 1))
    tree.insert((2, 2), 0, _states((2, 2)))
    assert found is not None
    assert torch.equal(found, _states((1, 1)))


def test_memory_is_one_block_however_long_it_is_used() -> None:
    tree = PrefixTree(8)
    tree.insert((0,), 0, _states((0,)))
    block = tree._block
    assert block is not None
    assert block.shape[3] == 8
    for number in range(1, 50):
        ids = (number, 2, 0, 1)[: 1 + number % 4]
        tree.insert(ids, 0, _states(ids))
    assert tree._block is block


@settings(max_examples=200)
@given(st.lists(IDS, max_size=12), st.integers(1, 12))
def test_whatever_is_kept_is_right_and_within_the_bound(sequences: list[tuple[int, ...]], bound: int) -> None:
    tree = PrefixTree(bound)
    for ids in sequences:
        known = _kept(tree, ids)
        tree.insert(ids, known, _states(ids, known))
        assert tree.num_tokens <= bound
        # Every place is free or belongs to one token.
        assert len(tree._free) == bound - tree.num_tokens
        assert len(set(tree._free)) == len(tree._free)
        assert sum(len(leaf.ids) for leaf in tree._leaves()) <= tree.num_tokens
        if len(ids) <= bound:
            assert _kept(tree, ids) == len(ids)
