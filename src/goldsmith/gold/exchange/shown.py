"""A pair as a tool shows it that knows nothing of sides: two texts in one order for everybody, and beside them what the texts alone do not tell."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from goldsmith.errors import DataError
from goldsmith.gold.exchange.item import Item, check_id, check_texts, is_plain, order_for, read_vote, reply_text, texts
from goldsmith.gold.exchange.rows import context_of
from goldsmith.identity import canonical_json
from goldsmith.types import Pair, Side, Vote

VOTES = "goldsmith_votes"
"""The key under which whole votes ride along."""


def replies_of(pair: Pair, order: Sequence[Side]) -> tuple[str, str]:
    """Return the replies as texts, in the order in which they are shown."""
    by_side = {"first": reply_text(pair.first), "second": reply_text(pair.second)}
    return by_side[order[0]], by_side[order[1]]


def order_of(item: Item, seed: int) -> list[Side]:
    """Return the order in which an item is shown to everybody."""
    return order_for(item.pair_id, seed)


def beside(item: Item, order: Sequence[Side]) -> dict[str, str]:
    """Return what rides along with the texts, as texts: id, order, votes, and what a text cannot tell."""
    pair = item.pair
    assert pair is not None, "only pairs with texts are written"
    found = {"pair_id": item.pair_id, "shown_order": ",".join(order)}
    if not is_plain(pair):
        found["context"] = canonical_json(pair.messages)
    parts = {side: reply for side, reply in (("first", pair.first), ("second", pair.second)) if not isinstance(reply, str)}
    if parts:
        found["parts"] = canonical_json(parts)
    if item.attributes is not None:
        found["attributes"] = canonical_json(item.attributes)
    if item.votes:
        found[VOTES] = canonical_json([vote.model_dump() for vote in item.votes])
    return found


def pair_from(
    prompt: Any, shown: Sequence[Any], names: Sequence[str], about: Mapping[str, Any], place: str
) -> tuple[Pair, list[Side]]:
    """Return the pair of two texts that were shown, and the order in which its replies stood.

    Raises:
        DataError: names place and field.
    """
    stated = [part for part in str(about.get("shown_order") or "").split(",") if part]
    if stated and sorted(stated) != ["first", "second"]:
        raise DataError(f"{place}: field 'shown_order' is {','.join(stated)!r}; it names first and second once each")
    parts = from_json(about, "parts", dict, place) or {}
    replies = [parts.get(side, text) for side, text in zip(stated or ["", ""], shown, strict=True)]
    check_texts(place, names, replies)
    context = from_json(about, "context", list, place)
    if context is None:
        if not isinstance(prompt, str) or not prompt:
            raise DataError(f"{place}: field 'prompt' is missing or no text")
        context = [{"role": "user", "content": prompt}]
    pair = texts(context_of(context, "context", place), replies[0], replies[1], place)
    check_id(place, about.get("pair_id"), pair)
    return pair, ["first", "second"] if pair.first == replies[0] else ["second", "first"]


def votes_beside(about: Mapping[str, Any], pair: Pair, place: str) -> list[Vote]:
    """Return the whole votes that rode along.

    Raises:
        DataError: one of them is none, or belongs to another pair.
    """
    rows = from_json(about, VOTES, list, place) or []
    votes = [read_vote(row, f"{place}: {VOTES}[{number}]") for number, row in enumerate(rows)]
    for number, vote in enumerate(votes):
        if vote.pair_id != pair.pair_id:
            raise DataError(
                f"{place}: field '{VOTES}[{number}].pair_id' is {vote.pair_id!r}, but the texts are pair {pair.pair_id}"
            )
    return votes


def from_json(about: Mapping[str, Any], name: str, kind: type, place: str) -> Any:
    """Return the value of a field that holds JSON as text; None where there is none.

    Raises:
        DataError: it is no JSON of this kind.
    """
    text = about.get(name)
    if text is None:
        return None
    try:
        value = json.loads(text) if isinstance(text, str) else text
    except (ValueError, RecursionError):
        raise DataError(f"{place}: field '{name}' is no JSON: {text[:60]!r}") from None
    if not isinstance(value, kind):
        raise DataError(f"{place}: field '{name}' is {type(value).__name__}; expected JSON of a {kind.__name__}")
    return value
