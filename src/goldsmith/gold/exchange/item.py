"""The record that every format reads and writes: a pair's texts, all votes on it, and what models suggest."""

from __future__ import annotations

import math
import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import Field, ValidationError

from goldsmith.errors import DataError
from goldsmith.identity import canonical_json, unit_interval
from goldsmith.types import Content, Pair, Record, Side, Vote, VoteChoice

OTHER: dict[Side, Side] = {"first": "second", "second": "first"}
LONGEST = {"vote_id": 200, "annotator": 200, "pair_id": 32}
"""Characters that the database has room for."""
ALWAYS = frozenset({"vote_id", "annotator"})
"""Fields that say something whatever their value is."""


class Suggestion(Record):
    """What models say of a pair.

    `p_first` is the probability that `first` is better (judges); `margin` is reward(first) - reward(second), in logits (reward models).
    """

    model: str
    choice: Literal["first", "second", "tie"]
    p_first: float | None = Field(default=None, ge=0, le=1)
    margin: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One pair with all that is said of it; `pair` is None where a file names it by its id alone."""

    pair_id: str
    pair: Pair | None
    votes: tuple[Vote, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()
    attributes: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What a file holds: its items, how many rows (or tasks, records) it has, and what in it is no vote, by reason."""

    items: list[Item]
    num_rows: int
    dropped: dict[str, int] = field(default_factory=dict)
    edited: list[str] = field(default_factory=list)
    """Votes of ours that somebody has changed on the other side, by id: the change is not taken, since a vote is never rewritten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """How much of what was written the other side shows, only keeps, or cannot hold at all.

    Attributes:
        carried: by field, in how many votes it has something to say that the other side keeps and gives back but does not show.
        not_held: by field, how many values were left out.
    """

    carried: Counter[str] = field(default_factory=Counter)
    not_held: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a person has said in another tool's own terms; what was not asked is None."""

    choice: VoteChoice
    strength: int | None = None
    confidence: int | None = None
    rationale: str = ""
    reason: str | None = None


def answer_of(vote: Vote) -> Answer:
    """Return a vote in the terms in which answers are compared: a strength only with a side (0 counts as 1), a reason only with a discard."""
    is_side = vote.choice in OTHER
    return Answer(
        choice=vote.choice,
        strength=max(1, vote.strength) if is_side else None,
        confidence=vote.confidence,
        rationale=vote.rationale,
        reason=vote.reason if vote.choice == "discard" else None,
    )


def vote_from(answer: Answer, place: str, **about: Any) -> Vote:
    """Return the vote of an answer; `about` names the other fields.

    Raises:
        DataError: there can be no such vote; names place and field.
    """
    more = {} if answer.confidence is None else {"confidence": answer.confidence}
    strength = (answer.strength or 1) if answer.choice in OTHER else 0
    said = {"choice": answer.choice, "strength": strength, "rationale": answer.rationale, "reason": answer.reason, **more}
    return read_vote({**said, **about}, place)


def score_of(suggestion: Suggestion) -> float | None:
    """Return the probability of what is suggested, 0 to 1, as other tools have it; a margin becomes one by Bradley and Terry."""
    if suggestion.p_first is not None:
        return suggestion.p_first if suggestion.choice != "second" else 1 - suggestion.p_first
    return None if suggestion.margin is None else 1 / (1 + math.exp(-min(abs(suggestion.margin), 700.0)))


def texts(context: list[dict[str, Any]], reply: Content, other: Content, place: str = "") -> Pair:
    """Return the pair of two replies in any order, without a label.

    Raises:
        DataError: the context or a reply is none; names place and field.
    """
    check_unicode(place, "context", context)
    try:
        return Pair.from_replies(context, reply, other, tie=True)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        raise DataError(f"{place}: field '{name}': {first['msg']}; found {str(first.get('input'))[:80]!r}") from None


def bare(pair: Pair) -> Pair:
    """Return a pair without anything but its texts."""
    return Pair(pair_id=pair.pair_id, context=pair.context, first=pair.first, second=pair.second, label="tie")


def check_id(place: str, given: Any, pair: Pair) -> None:
    """Refuse an id that is not that of the texts beside it."""
    if given is not None and given != pair.pair_id:
        raise DataError(
            f"{place}: field 'pair_id' is {given!r}, but the id of its context and replies is {pair.pair_id}; the texts or the id were changed"
        )


def check_texts(place: str, names: Sequence[str], replies: Sequence[Any]) -> None:
    """Refuse replies that no vote can tell apart."""
    for name, reply in zip(names, replies, strict=True):
        if not (isinstance(reply, str) and reply.strip()) and not (isinstance(reply, list) and reply):
            raise DataError(f"{place}: field '{name}' is empty or no text; a pair needs two replies")
        check_unicode(place, name, reply)
    if replies[0] == replies[1]:
        raise DataError(f"{place}: fields '{names[0]}' and '{names[1]}' hold the same reply; no vote can tell them apart")


def read_vote(row: Any, place: str) -> Vote:
    """Return the vote of a row that has `Vote`'s own fields.

    Raises:
        DataError: a field is unknown, missing or wrong, or the vote contradicts itself; names place and field.
    """
    try:
        vote = Vote.model_validate(row)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"])) or "vote"
        about = f"vote {row.get('vote_id')!r}: " if isinstance(row, dict) else ""
        raise DataError(f"{place}: {about}field '{name}': {first['msg']}; found {str(first.get('input'))[:80]!r}") from None
    check_vote(vote, place)
    return vote


def check_vote(vote: Vote, place: str) -> None:
    """Refuse a vote that says two things at once."""
    if vote.choice not in OTHER and vote.strength > 1:
        raise DataError(
            f"{place}: vote {vote.vote_id!r}: field 'strength' is {vote.strength}, but 'choice' is '{vote.choice}', which has no strength; "
            "correct the one or the other"
        )
    if sorted(vote.shown_order) != ["first", "second"]:
        raise DataError(f"{place}: vote {vote.vote_id!r}: field 'shown_order' is {vote.shown_order}; it names each side once")
    if not (math.isfinite(vote.seconds) and vote.seconds >= 0):
        raise DataError(f"{place}: vote {vote.vote_id!r}: field 'seconds' is {vote.seconds}; a time is finite and not negative")
    for name, longest in LONGEST.items():
        value = getattr(vote, name)
        if not (0 < len(value) <= longest) or "\0" in value:
            raise DataError(
                f"{place}: vote {value[:40]!r}: field '{name}' has {len(value)} characters; 1 to {longest} are expected"
            )
    for name in ("rationale", "reason", "at"):
        if "\0" in (getattr(vote, name) or ""):
            raise DataError(
                f"{place}: vote {vote.vote_id!r}: field '{name}' holds a NUL character, which no database keeps; remove it"
            )
    check_unicode(place, "rationale", vote.model_dump())


def check_unicode(place: str, name: str, value: Any) -> None:
    """Refuse half of a surrogate pair, which JSON can spell and no file or database can hold."""
    try:
        canonical_json(value).encode("utf-8")
    except UnicodeEncodeError as error:
        raise DataError(f"{place}: field '{name}' holds half of a character ({error.object[error.start]!r}); remove it") from None


def order_for(name: str, seed: int) -> list[Side]:
    """Return the order in which a pair is shown in a tool that shows it alike to everybody: drawn by its id."""
    return ["first", "second"] if unit_interval(f"order:{name}", seed) < 0.5 else ["second", "first"]


def shown_votes(votes: Iterable[Vote]) -> dict[str, list[Vote]]:
    """Return each rater's votes on one pair; a tool that holds one answer of each shows the first of them."""
    found: dict[str, list[Vote]] = {}
    for vote in votes:
        found.setdefault(vote.annotator, []).append(vote)
    return found


def given_back(carried_votes: Sequence[Vote], answer: Answer, edited: list[str]) -> tuple[Vote, ...]:
    """Return a rater's votes as they were carried; notes in `edited` that the one that was shown says something else now."""
    if carried_votes and answer_of(carried_votes[0]) != answer:
        edited.append(carried_votes[0].vote_id)
    return tuple(carried_votes)


def user_uuid(annotator: str) -> str:
    """Return the UUID that stands for a rater in a tool whose raters are UUIDs: their own where it is one, else one made of the name."""
    try:
        return str(uuid.UUID(annotator))
    except ValueError:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"goldsmith:annotator:{annotator}"))


def carried(votes: Sequence[Vote], names: Sequence[str], *, one_of_each: bool = False) -> Counter[str]:
    """Return in how many votes each of the fields says more than its default.

    Args:
        votes: the votes that were written.
        names: the fields that the other side keeps without showing.
        one_of_each: it shows one vote of each rater on a pair; how many more there are is counted as `votes`.
    """
    defaults: dict[str, Any] = {
        name: Vote.model_fields[name].get_default(call_default_factory=True) for name in names if name not in ALWAYS
    }
    defaults["round"] = "first"
    found: Counter[str] = Counter()
    for vote in votes:
        found.update(name for name in names if name in ALWAYS or getattr(vote, name) != defaults[name])
    if one_of_each:
        found["votes"] = len(votes) - len({(vote.pair_id, vote.annotator) for vote in votes})
    return +found


def shown_text(pair: Pair) -> str:
    """Return the context as one text to read: a single question as it is, a conversation with the roles before the turns."""
    turns = [
        (turn.role, turn.content if isinstance(turn.content, str) else canonical_json(turn.content)) for turn in pair.context
    ]
    return turns[0][1] if is_plain(pair) else "\n\n".join(f"{role}: {text}" for role, text in turns)


def is_plain(pair: Pair) -> bool:
    """Whether the context is one text of a user, so that the text alone tells it."""
    return len(pair.context) == 1 and pair.context[0].role == "user" and isinstance(pair.context[0].content, str)


def reply_text(content: Content) -> str:
    """Return a reply as text; a list of parts as its JSON."""
    return content if isinstance(content, str) else canonical_json(content)
