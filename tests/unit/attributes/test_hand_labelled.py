"""The set itself: what it promises of its size and spread, and that its labels are of the taxonomy."""

from collections import Counter
from importlib import resources

from goldsmith.attributes.hand_labelled import FILE, load_hand_labelled
from goldsmith.attributes.reply import LONGEST_GUIDELINE, MOST_DESIRED, QUALITIES, SHORTEST_GUIDELINE
from goldsmith.attributes.taxonomy import load_taxonomy

ITEMS = load_hand_labelled()


def test_two_hundred_different_pairs_in_a_small_file() -> None:
    assert len(ITEMS) == 200
    assert len({item.id for item in ITEMS}) == len({item.pair.pair_id for item in ITEMS}) == 200
    assert len({item.pair.context_id for item in ITEMS}) == 200
    assert len(resources.files("goldsmith.attributes").joinpath(FILE).read_bytes()) < 250_000


def test_labels_are_of_the_taxonomy_and_spread() -> None:
    leaves = load_taxonomy().by_id
    tasks = Counter(item.attributes.task for item in ITEMS)
    assert tasks.keys() <= leaves.keys()
    assert len(tasks) >= 50
    assert min(Counter(item.attributes.objectivity for item in ITEMS).values()) >= 40
    heat = Counter(item.attributes.controversiality for item in ITEMS)
    assert heat["medium"] >= 25
    assert heat["high"] >= 15
    assert Counter(item.language for item in ITEMS)["zh"] >= 25
    assert sum(any(turn.role == "assistant" for turn in item.prompt) for item in ITEMS) >= 30


def test_open_labels_come_together_and_keep_to_the_form() -> None:
    whole = [item.attributes for item in ITEMS if item.attributes.guideline is not None]
    assert len(whole) >= 60
    assert all((item.attributes.desired is None) == (item.attributes.guideline is None) for item in ITEMS)
    for labels in whole:
        assert labels.desired is not None
        assert 1 <= len(labels.desired) <= MOST_DESIRED
        assert set(labels.desired) <= set(QUALITIES)
        assert SHORTEST_GUIDELINE <= len(labels.guideline or "") <= LONGEST_GUIDELINE


def test_every_pair_ends_with_the_user_and_prefers_one_reply() -> None:
    for item in ITEMS:
        assert item.prompt[-1].role == "user"
        assert item.pair.chosen == item.chosen
        assert item.pair.rejected == item.rejected
        assert item.chosen != item.rejected
