"""Signs of formatting are found as their patterns say, whatever is looked for first."""

from hypothesis import given
from hypothesis import strategies as st

from goldsmith.pool.bias import MARKERS, marks

PIECES = [
    "# Head",
    "**",
    "__",
    "bold",
    "* item",
    "1. one",
    "```",
    "~~~",
    "|",
    "a | b",
    "[text]",
    "(link)",
    "](",
    "\n",
    " ",
    "\t",
    "plain",
]


@given(st.lists(st.sampled_from(PIECES), max_size=20).map("".join))
def test_a_look_ahead_changes_no_count(text: str) -> None:
    assert marks(text) == {name: len(pattern.findall(text)) for name, pattern in MARKERS.items()}


def test_every_sign_is_counted() -> None:
    # Two list items, a heading, two bold words, a fence that opens and one that closes, one row of a table, one link.
    text = "# Head\n- **one**\n2. __two__\n```\ncode\n```\n| a | b |\n[there](address)"
    assert marks(text) == {"list": 2, "heading": 1, "bold": 2, "code": 2, "table": 1, "link": 1}
