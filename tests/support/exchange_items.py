"""Items to exchange: a few by hand, and any that hypothesis can think of."""

from typing import Any

from hypothesis import strategies as st

from goldsmith.gold.exchange.item import Item, Suggestion, texts
from goldsmith.types import Vote

REASONS = ("unreadable", "both-harmful", "other", "my own reason")
TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1, max_size=20)
REPLY = TEXT.filter(lambda text: bool(text.strip()))
WORD = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_.@", min_size=1, max_size=12)
ROUNDS = ("first", "retest", "expert", "late")


def vote(pair_id: str, number: int = 1, **more: Any) -> Vote:
    """A vote with sensible values."""
    fields = {
        "annotator": f"ann-{number}",
        "round": "first",
        "choice": "first",
        "strength": 2,
        "confidence": 3,
        "rationale": "it is right",
    }
    return Vote.model_validate({"vote_id": f"v-{pair_id[:8]}-{number}", "pair_id": pair_id, **fields, **more})


def item(prompt: str = "q", reply: str = "a", other: str = "b", **more: Any) -> Item:
    """A pair with a question."""
    pair = texts([{"role": "user", "content": prompt}], reply, other)
    return Item(pair_id=pair.pair_id, pair=pair, **more)


@st.composite
def votes_of(draw: st.DrawFn, pair_id: str) -> tuple[Vote, ...]:
    """Some votes of different raters and rounds on one pair."""
    raters = draw(st.lists(st.tuples(WORD, st.sampled_from(ROUNDS)), unique=True, max_size=3))
    found = []
    for number, (annotator, round_) in enumerate(raters):
        choice = draw(st.sampled_from(("first", "second", "tie", "discard")))
        found.append(
            Vote.model_validate(
                {
                    "vote_id": f"{pair_id[:10]}-{number}",
                    "pair_id": pair_id,
                    "annotator": annotator,
                    "round": round_,
                    "choice": choice,
                    "strength": draw(st.sampled_from((0, 1, 2) if choice in ("first", "second") else (0, 1))),
                    "confidence": draw(st.sampled_from((1, 2, 3))),
                    "rationale": draw(st.just("") | TEXT),
                    "reason": draw(st.none() | st.sampled_from(REASONS)) if choice == "discard" else None,
                    "shown_order": draw(st.sampled_from((["first", "second"], ["second", "first"]))),
                    "tools": draw(st.lists(st.fixed_dictionaries({"tool": WORD, "input": TEXT, "at": WORD}), max_size=1)),
                    "seconds": draw(st.floats(0, 9999, allow_nan=False)),
                    "changed_after_hint": draw(st.booleans()),
                    "at": draw(st.sampled_from(("", "2026-11-22T16:52:50.123Z"))),
                }
            )
        )
    return tuple(found)


@st.composite
def items(draw: st.DrawFn) -> list[Item]:
    """A few items with different texts, among them conversations and parts."""
    found: dict[str, Item] = {}
    for _ in range(draw(st.integers(1, 3))):
        turn = st.fixed_dictionaries({"role": st.sampled_from(("system", "user", "assistant")), "content": REPLY})
        context = draw(st.lists(turn, min_size=1, max_size=3))
        reply: Any = draw(REPLY | st.just([{"type": "text", "text": "seen"}, {"type": "image", "image": "i.png"}]))
        other = draw(REPLY.filter(lambda text, reply=reply: text != reply))
        pair = texts(context, reply, other)
        found[pair.pair_id] = Item(
            pair_id=pair.pair_id,
            pair=pair,
            votes=draw(votes_of(pair.pair_id)),
            suggestions=draw(
                st.just(())
                | st.tuples(
                    st.builds(Suggestion, model=WORD, choice=st.just("first"), p_first=st.floats(0.5, 1), margin=st.none())
                )
            ),
            attributes=draw(st.none() | st.just({"task": "math/proof", "desired": ["accuracy"]})),
        )
    return list(found.values())
