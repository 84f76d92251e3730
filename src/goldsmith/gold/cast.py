"""Casting a vote, once and for all, and taking it back.

The client names the vote, so that sending it again after a lost answer, a double click or an offline hour counts once. The seats of a pair are guarded by
a condition in the statement and by a constraint of the table: no pair gets more first-round votes than are wanted, whatever happens at the same time.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field, model_validator

from goldsmith.gold import events
from goldsmith.gold.assign import items_needed, qualification_result, set_qualified
from goldsmith.gold.leases import Conflict, Lease, NotYours, find_lease, release
from goldsmith.gold.people import NEEDED, Person
from goldsmith.gold.retests import forget_open
from goldsmith.gold.room import Room
from goldsmith.gold.schema import CHECK_ITEMS, LEASES, PAIR_STATES, RETESTS, VOTES
from goldsmith.gold.settle import settle
from goldsmith.gold.tool_uses import join_to_vote, uses_for_vote
from goldsmith.gold.votes import vote_row
from goldsmith.identity import canonical_json
from goldsmith.types import ToolUse, Vote, VoteChoice

DISCARD_REASONS = (
    "unreadable",
    "both-harmful",
    "needs-missing-material",
    "not-enough-knowledge",
    "identical-in-substance",
    "other",
)
LONGEST_RATIONALE = 20_000
DRAFTED = ("choice", "strength", "confidence", "rationale", "reason", "seconds")


class Ballot(BaseModel):
    """What a person sends: `choice` names the pair's own side, whatever stood where on the screen."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    vote_id: str = Field(pattern=r"^[A-Za-z0-9_-]{16,64}$")
    lease_id: str = Field(pattern=r"^[0-9a-f]{32}$")
    choice: VoteChoice
    strength: int = Field(default=1, ge=0, le=2)
    confidence: int = Field(default=2, ge=1, le=3)
    rationale: str = Field(default="", max_length=LONGEST_RATIONALE)
    reason: str | None = None
    seconds: float = Field(default=0.0, ge=0, le=86_400)
    tools: list[ToolUse] = Field(default_factory=list, max_length=200)

    @model_validator(mode="after")
    def _says_why(self) -> Ballot:
        if self.choice == "discard" and (self.reason not in DISCARD_REASONS or not self.rationale.strip()):
            raise ValueError(f"a discard needs a rationale and a reason, one of {', '.join(DISCARD_REASONS)}")
        if self.choice in ("first", "second") and not self.strength:
            raise ValueError("strength is 1 (better) or 2 (much better) when a side is chosen")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What became of a vote; `feedback` only for a qualification item."""

    vote_id: str
    is_late: bool
    duplicate: bool
    undo_until: float | None
    feedback: dict[str, Any] | None = None


def cast_vote(room: Room, person: Person, ballot: Ballot) -> Receipt:
    """Store a vote and bring its pair up to it; the same vote again changes nothing.

    Raises:
        NotYours: the lease is none of this person's.
        Conflict: the lease has another vote, the vote id is taken, or an expert gave no rationale.
    """
    try:
        return room.database.transact(lambda connection: _cast(room, connection, person, ballot))
    except (sa.exc.IntegrityError, NotYours):  # the vote's id is there already, perhaps since a moment ago
        with room.database.read() as connection:
            known = _known(room, connection, person, ballot)
        if known is None:
            raise
        return known


def undo_vote(room: Room, person: Person, vote_id: str) -> Lease:
    """Take a vote back and return its lease, active again, with the vote as its draft.

    Raises:
        NotYours: no such vote of this person.
        Conflict: it is too late, the role no longer allows such votes, or an expert or a retest has built on the vote.
    """
    return room.database.transact(lambda connection: _undo(room, connection, person, vote_id))


def undo_until(room: Room, round_: str, at: float) -> float | None:
    """Return until when a vote may be taken back; None when it may not."""
    return None if round_ in ("late", "qualify") else at + 60 * room.rules.undo_minutes


def _cast(room: Room, connection: sa.Connection, person: Person, ballot: Ballot) -> Receipt:
    lease = find_lease(connection, person.person_id, ballot.lease_id, lock=True)
    if lease.state in ("voted", "late"):
        known = _known(room, connection, person, ballot)
        if known is not None:
            return known
        raise Conflict("you have voted on this pair already, perhaps in another window")
    if lease.round == "expert" and not ballot.rationale.strip():
        raise Conflict("an expert's decision needs a rationale")
    # An item of the test is nobody else's meanwhile, so that its vote is never late.
    in_time = lease.round == "qualify" or (lease.state == "active" and lease.expires_at > room.clock())
    missing = _take(connection, lease) if in_time else None
    counts = missing is not None
    used = uses_for_vote(connection, lease.lease_id)
    vote = _vote(room, lease, ballot, lease.round if counts else "late", [*used, *ballot.tools])
    connection.execute(VOTES.insert().values(vote_row(vote, recorded=False, lease_id=lease.lease_id)))
    if used:
        join_to_vote(connection, lease.lease_id, vote.vote_id)
    events.record(connection, room.clock(), person.person_id, "vote.cast", lease.pair_id, **vote.model_dump())
    if counts:
        connection.execute(LEASES.update().where(LEASES.c.lease_id == lease.lease_id).values(state="voted"))
        if not missing:
            _follow_up(room, connection, person, lease)
    else:
        release(connection, lease, "late")
    return _receipt(room, connection, vote, duplicate=False)


def _known(room: Room, connection: sa.Connection, person: Person, ballot: Ballot) -> Receipt | None:
    """The receipt of a vote that is there already."""
    row = connection.execute(sa.select(VOTES).where(VOTES.c.vote_id == ballot.vote_id)).mappings().first()
    if row is None:
        return None
    if (row["annotator"], row["lease_id"]) != (person.person_id, ballot.lease_id):
        raise Conflict("this vote id is taken; make a new one for each vote")
    return _receipt(room, connection, Vote.model_validate_json(row["record"]), duplicate=True)


def _take(connection: sa.Connection, lease: Lease) -> int | None:
    """Use the lease's seat and return how many first-round votes are still missing; None when the seat is no longer there."""
    if lease.round == "first":
        seat = PAIR_STATES.c.num_votes + PAIR_STATES.c.free < PAIR_STATES.c.wanted
        used = (
            PAIR_STATES.update()
            .where(PAIR_STATES.c.pair_id == lease.pair_id, seat)
            .values(num_votes=PAIR_STATES.c.num_votes + 1)
            .returning(PAIR_STATES.c.wanted - PAIR_STATES.c.num_votes)
        )
        return connection.execute(used).scalar()
    if lease.round == "expert":
        # The row is held until the end, so that two experts cannot both decide.
        still = sa.select(PAIR_STATES.c.pair_id).where(PAIR_STATES.c.pair_id == lease.pair_id, PAIR_STATES.c.state == "disputed")
        return 0 if connection.execute(still.with_for_update()).first() is not None else None
    if lease.round == "retest":
        done = RETESTS.update().where(RETESTS.c.retest_id == lease.retest_id, RETESTS.c.state == "leased").values(state="done")
        return 0 if connection.execute(done).rowcount else None
    return 0


def _vote(room: Room, lease: Lease, ballot: Ballot, round_: str, tools: list[ToolUse]) -> Vote:
    final = {"choice": ballot.choice, "strength": _strength(ballot)}
    before = lease.first_choice
    return Vote.model_validate(
        {
            **ballot.model_dump(exclude={"lease_id"}),
            **final,
            "tools": tools,
            "reason": ballot.reason if ballot.choice == "discard" else None,
            "pair_id": lease.pair_id,
            "annotator": lease.person_id,
            "round": round_,
            "shown_order": lease.shown_order,
            "changed_after_hint": before is not None
            and bool(before.get("hinted"))
            and (before["choice"], before["strength"]) != tuple(final.values()),
            "at": datetime.fromtimestamp(room.clock(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }
    )


def _strength(ballot: Ballot) -> int:
    return ballot.strength if ballot.choice in ("first", "second") else 0


def _follow_up(room: Room, connection: sa.Connection, person: Person, lease: Lease) -> None:
    if lease.round in ("first", "expert"):
        settle(room, connection, lease.pair_id)
    elif lease.round == "qualify" and person.qualified is None:
        needed, (done, right) = items_needed(room, connection), qualification_result(connection, person.person_id)
        if done >= needed:
            passed = right >= room.rules.qualification_accuracy * done
            set_qualified(connection, person.person_id, passed)
            events.record(
                connection,
                room.clock(),
                events.SYSTEM,
                "person.qualified" if passed else "person.failed",
                person.person_id,
                done=done,
                right=right,
            )


def _receipt(room: Room, connection: sa.Connection, vote: Vote, *, duplicate: bool) -> Receipt:
    feedback = None
    if vote.round == "qualify":
        known = connection.execute(
            sa.select(CHECK_ITEMS.c.label, CHECK_ITEMS.c.rationale).where(CHECK_ITEMS.c.pair_id == vote.pair_id)
        ).one_or_none()
        if known is not None:
            feedback = {"right": vote.choice == known.label, "choice": known.label, "rationale": known.rationale}
    until = undo_until(room, vote.round, datetime.fromisoformat(vote.at).timestamp())
    return Receipt(vote_id=vote.vote_id, is_late=vote.round == "late", duplicate=duplicate, undo_until=until, feedback=feedback)


def _undo(room: Room, connection: sa.Connection, person: Person, vote_id: str) -> Lease:
    own = (
        VOTES.c.vote_id == vote_id,
        VOTES.c.annotator == person.person_id,
        VOTES.c.withdrawn_at.is_(None),
        VOTES.c.lease_id.is_not(None),
    )
    row = connection.execute(sa.select(VOTES).where(*own)).mappings().first()
    if row is None:
        raise NotYours("there is no such vote of yours")
    now, lease = room.clock(), find_lease(connection, person.person_id, row["lease_id"], lock=True)
    until = undo_until(room, row["round"], row["at"])
    if until is None or now > until or lease.state != "voted" or NEEDED[lease.queue] not in person.can:
        raise Conflict("this vote can no longer be taken back")
    _give_back(room, connection, lease)
    connection.execute(VOTES.update().where(VOTES.c.vote_id == vote_id).values(withdrawn_at=now))
    room.memory.totals.pop(person.person_id, None)
    others = sa.select(LEASES).where(
        LEASES.c.person_id == person.person_id, LEASES.c.queue == lease.queue, LEASES.c.state == "active"
    )
    for other in connection.execute(others).mappings().all():
        release(connection, Lease(**{**other, "draft": None, "first_choice": None}), "expired")
    draft = {name: json.loads(row["record"])[name] for name in DRAFTED}
    again = {"state": "active", "expires_at": now + 60 * room.rules.lease_minutes, "draft": canonical_json(draft)}
    connection.execute(LEASES.update().where(LEASES.c.lease_id == lease.lease_id).values(again))
    events.record(connection, now, person.person_id, "vote.withdrawn", lease.pair_id, vote=vote_id)
    if lease.round in ("first", "expert"):
        settle(room, connection, lease.pair_id)
    return find_lease(connection, person.person_id, lease.lease_id)


def _give_back(room: Room, connection: sa.Connection, lease: Lease) -> None:
    """Undo what the vote did to seats and retests.

    Raises:
        Conflict: somebody has built on the vote.
    """
    built = Conflict("somebody has built on this vote since (an expert or a retest); tell the lead instead")
    if lease.round in ("first", "expert"):
        held = sa.select(LEASES.c.lease_id).where(
            LEASES.c.pair_id == lease.pair_id, LEASES.c.round == "expert", LEASES.c.lease_id != lease.lease_id
        )
        experts = connection.execute(held.where(LEASES.c.state.in_(["active", "voted"]))).first()
        if experts is not None or not forget_open(room, connection, lease.pair_id):
            raise built
    if lease.round == "first":
        given = (PAIR_STATES.c.pair_id == lease.pair_id, PAIR_STATES.c.num_votes > 0)
        connection.execute(PAIR_STATES.update().where(*given).values(num_votes=PAIR_STATES.c.num_votes - 1))
    if lease.round == "retest":
        connection.execute(RETESTS.update().where(RETESTS.c.retest_id == lease.retest_id).values(state="leased"))
