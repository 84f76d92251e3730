"""The bit-parallel longest common subsequence against the textbook's table."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from goldsmith.annotate.rendering.difference import _common

WORDS = st.lists(st.sampled_from("abcd"), max_size=14)


def _length(one: list[str], two: list[str]) -> int:
    """Length of a longest common subsequence by dynamic programming (Wagner and Fischer)."""
    row = [0] * (len(two) + 1)
    for token in one:
        before, diagonal = row[:], 0
        for place, other in enumerate(two):
            row[place + 1] = diagonal + 1 if token == other else max(row[place], before[place + 1])
            diagonal = before[place + 1]
    return row[-1]


@given(WORDS, WORDS)
def test_the_common_words_are_common_in_order_and_as_many_as_can_be(one: list[str], two: list[str]) -> None:
    pairs = _common(one, two)
    assert all(one[at] == two[to] for at, to in pairs)
    assert all(first[0] < second[0] and first[1] < second[1] for first, second in pairwise(pairs))
    assert len(pairs) == _length(one, two)
