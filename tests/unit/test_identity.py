import hashlib

import pytest

from goldsmith import identity
from goldsmith.types import Pair

CONTEXT = [{"role": "user", "content": "hi"}]


def test_pair_id_is_the_hash_of_context_and_sorted_replies() -> None:
    text = '[[{"content":"hi","role":"user"}],["a","b"]]'
    assert identity.pair_id(CONTEXT, "b", "a") == hashlib.sha256(text.encode()).hexdigest()[:32]


def test_flipping_never_changes_the_id_and_keeps_the_preference() -> None:
    one = Pair.from_replies(CONTEXT, "b", "a")
    other = Pair.from_replies(CONTEXT, "a", "b")
    assert one.pair_id == other.pair_id
    assert (one.first, one.label, one.chosen, one.rejected) == ("a", "second", "b", "a")
    assert (other.first, other.label, other.chosen) == ("a", "first", "a")


def test_what_follows_from_the_replies_cannot_be_given_too() -> None:
    with pytest.raises(TypeError, match="label"):
        Pair.from_replies(CONTEXT, "b", "a", label="first")


def test_first_is_smaller_by_code_point_not_by_locale() -> None:
    pair = Pair.from_replies(CONTEXT, "é", "z")
    assert (pair.first, pair.second) == ("z", "é")


def test_parts_are_ordered_by_their_canonical_json() -> None:
    image = [{"type": "image", "url": "x"}]
    pair = Pair.from_replies(CONTEXT, image, "text")
    assert pair.first == image or pair.second == image
    assert pair.pair_id == identity.pair_id(CONTEXT, "text", image)


def test_a_lone_surrogate_has_no_id() -> None:
    with pytest.raises(UnicodeEncodeError):
        identity.pair_id(CONTEXT, "\ud800", "a")


def test_unit_interval_depends_on_key_and_seed_alone() -> None:
    value = int(hashlib.sha256(b"3:x").hexdigest()[:13], 16) / 16**13
    assert identity.unit_interval("x", 3) == value
    assert identity.unit_interval("x", 4) != value
    assert 0.0 <= value < 1.0
