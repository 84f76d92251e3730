from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from goldsmith.serve.share import common_length, group_sequences

SEQUENCES = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=8).map(tuple), min_size=1, max_size=8, unique=True)


def test_the_shared_beginning_of_two_sequences() -> None:
    assert common_length((1, 2, 3), (1, 2, 4)) == 2
    assert common_length((1, 2), (1, 2, 4)) == 2
    assert common_length((5,), (6,)) == 0
    assert common_length((), (6,)) == 0


@given(st.lists(st.integers(0, 2), max_size=12), st.lists(st.integers(0, 2), max_size=12))
def test_bisection_finds_what_counting_finds(one: list[int], other: list[int]) -> None:
    counted = 0
    while counted < min(len(one), len(other)) and one[counted] == other[counted]:
        counted += 1
    assert common_length(tuple(one), tuple(other)) == counted


def test_replies_to_one_prompt_are_a_group_and_strangers_are_not() -> None:
    groups = group_sequences([(1, 2, 3, 4), (9, 9), (1, 2, 3, 5), (1, 2, 3, 6, 7)])
    assert [(group.prefix, group.rows) for group in groups] == [((1, 2, 3), (0, 2, 3)), ((), (1,))]
    assert groups[0].suffixes == ((4,), (5,), (6, 7))


def test_two_long_prompts_with_one_token_in_common_stay_apart() -> None:
    # Together 3 x 1 token is saved, apart 4 + 4.
    sequences = [(1, 2, 3, 4, 5, 0), (1, 2, 3, 4, 5, 1), (1, 7, 7, 7, 7, 0), (1, 7, 7, 7, 7, 1)]
    assert [group.prefix for group in group_sequences(sequences)] == [(1, 2, 3, 4, 5), (1, 7, 7, 7, 7)]


def test_a_sequence_that_another_begins_with_keeps_a_token_of_its_own() -> None:
    (group,) = group_sequences([(1, 2, 3), (1, 2, 3, 4)])
    assert (group.prefix, group.suffixes) == ((1, 2), ((3,), (3, 4)))


@given(SEQUENCES)
def test_every_sequence_comes_back_whole(sequences: list[tuple[int, ...]]) -> None:
    found = {
        row: group.prefix + suffix
        for group in group_sequences(sequences)
        for row, suffix in zip(group.rows, group.suffixes, strict=True)
    }
    assert found == dict(enumerate(sequences))
    assert all(suffix for group in group_sequences(sequences) for suffix in group.suffixes)
