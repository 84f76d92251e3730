"""Duplicates and contradictions, whatever order they come in."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from goldsmith.pool.dedup import CONTRADICTION, DUPLICATE, Copy, judge_copies


def copy(source: str, number: int, label: str = "first", pair_id: str = "p") -> Copy:
    return Copy(
        source=source, source_ref=f"{source}:{number}", part=f"raw_{source}/part-0", row=number, pair_id=pair_id, label=label
    )


def test_the_first_by_source_and_reference_stays() -> None:
    verdicts = judge_copies([copy("b", 1), copy("a", 2), copy("a", 3)])
    assert verdicts == {("raw_b/part-0", 1): DUPLICATE, ("raw_a/part-0", 3): DUPLICATE}


def test_different_labels_contradict_each_other_and_their_copies_are_duplicates() -> None:
    verdicts = judge_copies([copy("a", 1), copy("a", 2, "second"), copy("b", 3, "second"), copy("a", 4, "tie", "q")])
    assert verdicts == {("raw_a/part-0", 1): CONTRADICTION, ("raw_a/part-0", 2): CONTRADICTION, ("raw_b/part-0", 3): DUPLICATE}


COPIES = st.lists(
    st.builds(
        Copy,
        source=st.sampled_from("ab"),
        source_ref=st.sampled_from("xy"),
        part=st.sampled_from(["p0", "p1"]),
        row=st.integers(0, 50),
        pair_id=st.sampled_from("mno"),
        label=st.sampled_from(["first", "second", "tie"]),
    ),
    unique_by=lambda item: (item.part, item.row),
)


@settings(deadline=None)  # a busy machine is no bug
@given(COPIES, st.randoms(use_true_random=False))
def test_order_makes_no_difference_and_a_second_time_changes_nothing(copies: list[Copy], randomness: random.Random) -> None:
    verdicts = judge_copies(copies)
    shuffled = copies.copy()
    randomness.shuffle(shuffled)
    assert judge_copies(shuffled) == verdicts
    stays = [item for item in copies if (item.part, item.row) not in verdicts]
    assert judge_copies(stays) == {}
    assert len({item.pair_id for item in stays}) == len(stays)
    # Every id leaves exactly one row in the pool, or all its labels among the contradictions.
    for pair_id in {item.pair_id for item in copies}:
        labels = {item.label for item in copies if item.pair_id == pair_id}
        contradicting = [
            item for item in copies if item.pair_id == pair_id and verdicts.get((item.part, item.row)) == CONTRADICTION
        ]
        assert len(contradicting) == (len(labels) if len(labels) > 1 else 0)
