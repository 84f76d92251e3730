"""Leases: a pair is handed to one person for a time; its draft and first choice are kept with it, and when it runs out the seat is free again."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from goldsmith.errors import GoldsmithError
from goldsmith.gold import events
from goldsmith.gold.people import NEEDED, Person
from goldsmith.gold.room import Room
from goldsmith.gold.schema import CHECK_ITEMS, LEASES, PAIR_STATES, QUEUE, RETESTS
from goldsmith.identity import canonical_json, unit_interval
from goldsmith.types import Side

SWEPT_AT_ONCE = 100
SWEPT_EVERY_SECONDS = 1.0


class NotYours(GoldsmithError):
    """There is no such lease or vote, or it is another person's: both look the same from outside."""


class Conflict(GoldsmithError):
    """What was asked for contradicts what has happened since."""


class Gone(GoldsmithError):
    """The lease is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """One pair in one person's hands; `state` is `active`, `voted`, `late`, `skipped` or `expired`."""

    lease_id: str
    pair_id: str
    person_id: str
    queue: str
    round: str
    retest_id: str | None
    shown_first: Side
    state: str
    leased_at: float
    expires_at: float
    draft: dict[str, Any] | None
    first_choice: dict[str, Any] | None

    @property
    def shown_order(self) -> list[Side]:
        """The sides in the order of the screen."""
        return ["first", "second"] if self.shown_first == "first" else ["second", "first"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What is known of a leased pair."""

    record: dict[str, Any]
    attributes: dict[str, Any] | None
    checks: dict[str, Any] | None

    @property
    def look(self) -> tuple[tuple[str, ...], bool]:
        """What stands beside the replies: the attributes that are filled in, and whether models have checked the replies."""
        filled = {name for name, value in (self.attributes or {}).items() if value}
        return tuple(sorted(filled)), bool(self.checks)


def lease_of(row: Mapping[Any, Any]) -> Lease:
    """Return the lease of a row."""
    values = dict(row)
    for name in ("draft", "first_choice"):
        values[name] = json.loads(values[name]) if values[name] else None
    return Lease(**values)


def find_lease(connection: sa.Connection, person_id: str, lease_id: str, *, lock: bool = False) -> Lease:
    """Return a person's own lease.

    Args:
        connection: of a transaction.
        person_id: the person who asks.
        lease_id: the lease.
        lock: hold the row until the transaction ends (PostgreSQL; a SQLite writer is alone anyway).

    Raises:
        NotYours: there is none, or it is another person's.
    """
    query = sa.select(LEASES).where(LEASES.c.lease_id == lease_id, LEASES.c.person_id == person_id)
    row = connection.execute(query.with_for_update() if lock else query).mappings().first()
    if row is None:
        raise NotYours("there is no such lease of yours")
    return lease_of(row)


def held_lease(room: Room, connection: sa.Connection, person_id: str, lease_id: str) -> Lease:
    """Return a person's own lease whose time has not run out: nobody reads a pair that is not in their hands.

    Raises:
        NotYours: there is none, or it is another person's.
        Gone: it is over, whether or not anybody has noticed yet.
    """
    lease = find_lease(connection, person_id, lease_id)
    if lease.state != "active" or lease.expires_at <= room.clock():
        raise Gone("this pair is no longer yours")
    return lease


def active_lease(connection: sa.Connection, person_id: str, queue: str) -> Lease | None:
    """Return the lease that a person holds in a queue; its time may have run out."""
    query = sa.select(LEASES).where(LEASES.c.person_id == person_id, LEASES.c.queue == queue, LEASES.c.state == "active")
    row = connection.execute(query).mappings().first()
    return lease_of(row) if row is not None else None


def material_of(connection: sa.Connection, lease: Lease) -> Material:
    """Return the texts of a leased pair, from the queue or from the pairs whose answer is known."""
    if lease.round in ("check", "qualify"):
        columns = (CHECK_ITEMS.c.record, CHECK_ITEMS.c.attributes, sa.null().label("checks"))
        return read_material(connection.execute(sa.select(*columns).where(CHECK_ITEMS.c.pair_id == lease.pair_id)).one())
    return material_of_queue(connection, lease.pair_id)


def material_of_queue(connection: sa.Connection, pair_id: str) -> Material:
    """Return the texts of a pair of the queue."""
    columns = (QUEUE.c.record, QUEUE.c.attributes, QUEUE.c.checks)
    return read_material(connection.execute(sa.select(*columns).where(QUEUE.c.pair_id == pair_id)).one())


def read_material(row: Any) -> Material:
    """Return what `record`, `attributes` and `checks` of a row hold; a pair with a known answer has its checks within the record."""
    record = json.loads(row.record)
    within = record.pop("checks", None)
    return Material(
        record=record,
        attributes=json.loads(row.attributes) if row.attributes else None,
        checks=json.loads(row.checks) if row.checks else within,
    )


def give(
    room: Room, connection: sa.Connection, person_id: str, pair_id: str, queue: str, round_: str, retest_id: str | None = None
) -> Lease:
    """Lease a pair whose seat has been taken; a lease that had run out or was skipped is taken up again with its draft and its order.

    Raises:
        sqlalchemy.exc.IntegrityError: the person holds another lease in this queue, or has had this pair in this round.
    """
    now = room.clock()
    again = {"state": "active", "leased_at": now, "expires_at": now + 60 * room.rules.lease_minutes, "retest_id": retest_id}
    of_both = sa.select(LEASES).where(LEASES.c.person_id == person_id, LEASES.c.pair_id == pair_id)
    earlier = connection.execute(of_both.order_by(LEASES.c.leased_at).with_for_update()).mappings().all()
    same = next((row for row in earlier if row["round"] == round_ and row["state"] in ("expired", "skipped")), None)
    if same is not None:
        row = {**same, **again}
        connection.execute(LEASES.update().where(LEASES.c.lease_id == same["lease_id"]).values(again))
    else:
        fresh = {"lease_id": secrets.token_hex(16), "pair_id": pair_id, "person_id": person_id, "queue": queue, "round": round_}
        before = earlier[0]["shown_first"] if earlier else None
        order = {"shown_first": _drawn_order(room, before, f"order:{person_id}:{pair_id}:{round_}")}
        row = {**fresh, **order, **again, "draft": None, "first_choice": None}
        connection.execute(LEASES.insert().values(row))
    events.record(
        connection, now, person_id, "lease.given", pair_id, lease=row["lease_id"], round=round_, shown_first=row["shown_first"]
    )
    return lease_of(row)


def save_draft(room: Room, person_id: str, lease_id: str, draft: dict[str, Any]) -> float:
    """Keep a draft, give the lease its full time again, and return when it runs out.

    Raises:
        NotYours: no such lease of this person.
        Gone: the lease is over; the draft is kept all the same unless there is a vote.
    """
    with room.database.write() as connection:
        lease, now = find_lease(connection, person_id, lease_id, lock=True), room.clock()
        is_active = lease.state == "active" and lease.expires_at > now
        expires_at = now + 60 * room.rules.lease_minutes if is_active else lease.expires_at
        if lease.state not in ("voted", "late"):
            connection.execute(
                LEASES.update().where(LEASES.c.lease_id == lease_id).values(draft=canonical_json(draft), expires_at=expires_at)
            )
    if not is_active:
        raise Gone("this pair has gone to somebody else, since its time ran out; a vote is still kept, as a late one")
    return expires_at


def record_first_choice(room: Room, person_id: str, lease_id: str, choice: dict[str, Any]) -> Lease:
    """Record what a person chose before seeing any hint; a later call changes nothing. Returns the lease.

    Raises:
        NotYours: no such lease of this person.
        Gone: the lease is over.
    """
    with room.database.write() as connection:
        lease = find_lease(connection, person_id, lease_id, lock=True)
        if lease.state != "active":
            raise Gone("this pair is no longer yours")
        if lease.first_choice is None:
            connection.execute(LEASES.update().where(LEASES.c.lease_id == lease_id).values(first_choice=canonical_json(choice)))
            events.record(connection, room.clock(), person_id, "lease.first_choice", lease.pair_id, lease=lease_id, **choice)
        return find_lease(connection, person_id, lease_id)


def skip(room: Room, person_id: str, lease_id: str, reason: str) -> None:
    """Put a pair aside: somebody else gets it, and this person again only when nothing else is left.

    Raises:
        NotYours: no such lease of this person.
        Gone: the lease is over.
    """
    with room.database.write() as connection:
        lease = find_lease(connection, person_id, lease_id, lock=True)
        if lease.state != "active":
            raise Gone("this pair is no longer yours")
        release(connection, lease, "skipped")
        events.record(connection, room.clock(), person_id, "lease.skipped", lease.pair_id, lease=lease_id, reason=reason)


def sweep(room: Room, connection: sa.Connection) -> None:
    """End leases whose time has run out, some at a time and at most once a second."""
    if room.clock() - room.memory.swept_at < SWEPT_EVERY_SECONDS:
        return
    room.memory.swept_at = room.clock()
    query = sa.select(LEASES).where(LEASES.c.state == "active", LEASES.c.expires_at <= room.clock()).order_by(LEASES.c.expires_at)
    rows = connection.execute(query.limit(SWEPT_AT_ONCE).with_for_update(skip_locked=True)).mappings().all()
    for row in sorted(rows, key=lambda row: str(row["pair_id"])):
        expire(room, connection, lease_of(row))


def expire(room: Room, connection: sa.Connection, lease: Lease) -> None:
    """End a lease whose time has run out."""
    release(connection, lease, "expired")
    events.record(connection, room.clock(), events.SYSTEM, "lease.expired", lease.pair_id, lease=lease.lease_id)


def end_what_is_not_allowed(room: Room, connection: sa.Connection, person: Person) -> None:
    """End what a person holds in queues that their role has no part in (any more); a vote that still comes is kept as a late one."""
    for queue in (name for name, ability in NEEDED.items() if ability not in person.can):
        held = active_lease(connection, person.person_id, queue)
        if held is not None:
            expire(room, connection, held)


def release(connection: sa.Connection, lease: Lease, state: str) -> None:
    """End a lease without a vote that counts, and free its seat."""
    connection.execute(LEASES.update().where(LEASES.c.lease_id == lease.lease_id).values(state=state))
    if lease.state != "active":
        return
    if lease.round == "first":
        still = PAIR_STATES.c.free + PAIR_STATES.c.num_votes < PAIR_STATES.c.wanted
        connection.execute(
            PAIR_STATES.update().where(PAIR_STATES.c.pair_id == lease.pair_id, still).values(free=PAIR_STATES.c.free + 1)
        )
    if lease.retest_id is not None:
        connection.execute(
            RETESTS.update().where(RETESTS.c.retest_id == lease.retest_id, RETESTS.c.state == "leased").values(state="open")
        )


def _drawn_order(room: Room, before: str | None, name: str) -> Side:
    """Random for each person and pair (`name`); whoever has seen the pair `before` sees it the other way round."""
    if before is not None:
        return "second" if before == "first" else "first"
    return "first" if unit_interval(name, room.seed) < 0.5 else "second"
