import pytest

from goldsmith.gold.adjudicate import adjudicate
from goldsmith.types import Vote

SHORT = {"f": "first", "s": "second", "t": "tie", "d": "discard"}


def _votes(text: str, expert: str = "") -> list[Vote]:
    """`f1 f2 s` : first with strength 1, first with 2, second with the default 1."""
    made = []
    for index, word in enumerate([*text.split(), *(f"{choice}!" for choice in expert)]):
        strength = int(word[1]) if len(word) > 1 and word[1].isdigit() else 1
        kind = "expert" if word.endswith("!") else "first"
        made.append(
            Vote(vote_id=str(index), pair_id="p", annotator=f"n{index}", round=kind, choice=SHORT[word[0]], strength=strength)  # type: ignore[arg-type]
        )
    return made


@pytest.mark.parametrize(
    ("votes", "expert", "state", "label", "how"),
    [
        ("f f f", "", "gold", "first", "unanimous"),
        ("t t f", "", "gold", "tie", "majority"),
        ("f s t", "", "disputed", None, None),
        ("f s t", "s", "gold", "second", "expert"),
        ("f s t", "d", "discarded", None, None),
        ("f f d", "", "disputed", None, None),
        ("d d d", "", "discarded", None, None),
        ("f f", "", "waiting", None, None),
        ("", "", "waiting", None, None),
        # Signed strengths +2 and -1 are 3 apart, more than the 2 allowed; +1 and -1 are not.
        ("f2 f s", "", "disputed", None, None),
        ("f f s", "", "gold", "first", "majority"),
        ("f2 f2 t", "", "gold", "first", "majority"),
    ],
)
def test_outcomes_by_hand(votes: str, expert: str, state: str, label: str | None, how: str | None) -> None:
    outcome = adjudicate(_votes(votes, expert), votes_per_pair=3, max_strength_gap=2)
    assert (outcome.state, outcome.label, outcome.how) == (state, label, how)


def test_only_the_first_three_votes_count() -> None:
    assert adjudicate(_votes("f f f s s s"), votes_per_pair=3, max_strength_gap=2).how == "unanimous"
