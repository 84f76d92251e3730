import pytest

from goldsmith.errors import UserError
from goldsmith.retrieve.text import NO_PROMPT, last_user_turn, pair_text, plain_text
from goldsmith.types import Attributes, Message

TALK = [
    Message(role="user", content="Hello"),
    Message(role="assistant", content="Hi"),
    Message(role="user", content="What is 2 + 2?"),
]


def test_attributes_come_first_then_the_last_user_turn() -> None:
    attributes = Attributes(
        pair_id="x",
        task="math/word-problem",
        objectivity="factual",
        controversiality="low",
        desired=["accuracy"],
        guideline="Check the sum",
    )
    assert pair_text(TALK, attributes) == (
        "math word problem, factual, low controversy. wants accuracy. Check the sum.\nWhat is 2 + 2?\nHello\nHi"
    )
    assert pair_text(TALK) == "What is 2 + 2?\nHello\nHi"


def test_unproven_attributes_are_left_out_of_the_text() -> None:
    attributes = Attributes(
        pair_id="x", task="math/proof", objectivity="factual", controversiality="low", desired=["rigour"], guideline="No gaps"
    )
    assert pair_text(TALK[:1], attributes, {"controversiality", "guideline"}) == "math proof, factual. wants rigour.\nHello"
    assert pair_text(TALK[:1], attributes, {"task", "objectivity", "controversiality"}) == "wants rigour. No gaps.\nHello"
    everything = {"task", "objectivity", "controversiality", "desired", "guideline"}
    assert pair_text(TALK[:1], attributes, everything) == "Hello"


def test_a_context_without_user_turn_says_so() -> None:
    assert last_user_turn([Message(role="system", content="x")]) == NO_PROMPT


def test_parts_are_read_when_they_are_text_and_refused_by_name_when_not() -> None:
    assert plain_text([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]) == "a\nb"
    with pytest.raises(UserError, match="'image'"):
        plain_text([{"type": "image", "url": "x"}])
