"""Who gets which pair next: qualification, hidden checks, retests, then the most urgent first-round seat that the person may take.

Nothing here walks the queue: seats and disputes are found by partial indexes in the order of their rank, and a cursor for each person skips what was
theirs before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from goldsmith.gold.leases import Lease, active_lease, give, sweep
from goldsmith.gold.people import Person
from goldsmith.gold.retests import open_retest
from goldsmith.gold.room import Room
from goldsmith.gold.schema import CHECK_ITEMS, LEASES, PAIR_STATES, PEOPLE, RETESTS, VOTES
from goldsmith.identity import unit_interval

CURSOR_SECONDS = 60.0
"""How long a cursor is believed: a seat that becomes free again before it is found after so long, or when nothing else is left."""
ATTEMPTS = 8
"""Seats tried in one call when others take them first."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """Why there is no pair: `empty`, `daily-limit`, `not-qualified` or `failed-qualification`."""

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How much a person has done; `daily_limit` None: no limit; `needed` 0: no test."""

    today: int
    total: int
    daily_limit: int | None
    done: int
    needed: int
    right: int
    qualified: bool | None


def next_lease(room: Room, person: Person, queue: str) -> Lease | Nothing:
    """Return the pair a person is to judge next, the same as before while they hold one.

    Args:
        room: the room.
        person: who asks.
        queue: `work` (blind votes) or `expert` (disputes).
    """
    with room.database.read() as connection:
        held = active_lease(connection, person.person_id, queue, room.clock())
    if held is not None:
        return held
    for _ in range(ATTEMPTS):
        try:
            found = room.database.transact(lambda connection: _assign(room, connection, person, queue))
        except sa.exc.IntegrityError:  # two tabs asked at the same moment, or two experts wanted one dispute
            with room.database.read() as connection:
                found = active_lease(connection, person.person_id, queue, room.clock())
        if found is not None:
            return found
    return Nothing("empty")


def standing_of(room: Room, connection: sa.Connection, person: Person) -> Standing:
    """Return how far a person is today and in the qualification."""
    done, right = 0, 0
    needed = items_needed(room, connection) if person.qualified is None and person.role == "annotator" else 0
    if needed:
        done, right = qualification_result(connection, person.person_id)
    limit = person.daily_limit or room.rules.daily_limit
    return Standing(
        today=votes_since(connection, person.person_id, _midnight(room)),
        total=votes_since(connection, person.person_id, 0.0),
        daily_limit=limit,
        done=done,
        needed=needed,
        right=right,
        qualified=person.qualified,
    )


def votes_since(connection: sa.Connection, person_id: str, at: float) -> int:
    """Return the votes that a person has given since a time, without those taken back."""
    condition = (VOTES.c.annotator == person_id, VOTES.c.at >= at, VOTES.c.withdrawn_at.is_(None))
    return connection.execute(sa.select(sa.func.count()).select_from(VOTES).where(*condition)).scalar_one()


def _midnight(room: Room) -> float:
    return datetime.fromtimestamp(room.clock(), UTC).replace(hour=0, minute=0, second=0, microsecond=0).timestamp()


def items_needed(room: Room, connection: sa.Connection) -> int:
    """Return how many qualification items a new annotator votes on: as many as are asked for, or as there are."""
    if not room.rules.qualification_items:
        return 0
    there = connection.execute(
        sa.select(sa.func.count()).select_from(CHECK_ITEMS).where(CHECK_ITEMS.c.use == "qualify")
    ).scalar_one()
    return min(there, room.rules.qualification_items)


def qualification_result(connection: sa.Connection, person_id: str) -> tuple[int, int]:
    """Return how many qualification items a person has voted on, and how many rightly."""
    query = (
        sa.select(VOTES.c.choice, CHECK_ITEMS.c.label)
        .join(CHECK_ITEMS, CHECK_ITEMS.c.pair_id == VOTES.c.pair_id)
        .where(VOTES.c.annotator == person_id, VOTES.c.round == "qualify", VOTES.c.withdrawn_at.is_(None))
    )
    rows = connection.execute(query).all()
    return len(rows), sum(choice == label for choice, label in rows)


def _assign(room: Room, connection: sa.Connection, person: Person, queue: str) -> Lease | Nothing | None:
    """One attempt; None when somebody else was quicker."""
    sweep(room, connection)
    held = active_lease(connection, person.person_id, queue, room.clock())
    if held is not None:
        return held
    standing = standing_of(room, connection, person)
    if standing.daily_limit is not None and standing.today >= standing.daily_limit:
        return Nothing("daily-limit")
    if queue == "expert":
        return _dispute(room, connection, person)
    if person.qualified is False:
        return Nothing("failed-qualification")
    if standing.done < standing.needed:
        return _known(room, connection, person, "qualify", 0.0) or Nothing("not-qualified")
    return (
        _check(room, connection, person, standing.today) or _retest(room, connection, person) or _seat(room, connection, person)
    )


def _check(room: Room, connection: sa.Connection, person: Person, today: int) -> Lease | None:
    """A hidden check, when the draw for this person, day and count says so and an item is left."""
    day = datetime.fromtimestamp(room.clock(), UTC).date().isoformat()
    draw = unit_interval(f"check:{person.person_id}:{day}:{today}", room.seed)
    if not room.rules.check_rate or draw >= room.rules.check_rate:
        return None
    start = draw / room.rules.check_rate
    return _known(room, connection, person, "check", start) or _known(room, connection, person, "check", 0.0)


def _known(room: Room, connection: sa.Connection, person: Person, use: str, start: float) -> Lease | None:
    seen = sa.exists().where(
        LEASES.c.person_id == person.person_id, LEASES.c.pair_id == CHECK_ITEMS.c.pair_id, LEASES.c.state != "expired"
    )
    query = (
        sa.select(CHECK_ITEMS.c.pair_id)
        .where(CHECK_ITEMS.c.use == use, CHECK_ITEMS.c.draw >= start, ~seen)
        .order_by(CHECK_ITEMS.c.draw)
        .limit(1)
    )
    pair_id = connection.execute(query).scalar()
    return give(room, connection, person.person_id, pair_id, "work", use) if pair_id is not None else None


def _retest(room: Room, connection: sa.Connection, person: Person) -> Lease | None:
    for own in (True, False):
        found = open_retest(connection, person.person_id, person.tags, room.clock(), own=own)
        if found is not None:
            free = (RETESTS.c.retest_id == found["retest_id"], RETESTS.c.state == "open")
            if connection.execute(RETESTS.update().where(*free).values(state="leased")).rowcount:
                return give(room, connection, person.person_id, found["pair_id"], "work", "retest", found["retest_id"])
    return None


def _seat(room: Room, connection: sa.Connection, person: Person) -> Lease | Nothing | None:
    """The most urgent first-round seat; what the person has skipped comes when there is nothing else."""
    found = _first_free(room, connection, person)
    pair_id = found["pair_id"] if found is not None else _skipped(connection, person)
    if pair_id is None:
        return Nothing("empty")
    taken = connection.execute(
        PAIR_STATES.update().where(PAIR_STATES.c.pair_id == pair_id, PAIR_STATES.c.free > 0).values(free=PAIR_STATES.c.free - 1)
    )
    return give(room, connection, person.person_id, pair_id, "work", "first") if taken.rowcount else None


def _first_free(room: Room, connection: sa.Connection, person: Person) -> Mapping[Any, Any] | None:
    now, best = room.clock(), None
    for tag in ("", *person.tags):
        cursor, until = room.cursors.get((person.person_id, tag), (-1, 0.0))
        start = cursor if now < until else -1
        row = _free_after(connection, person.person_id, tag, start)
        if row is None and start >= 0:
            row, start = _free_after(connection, person.person_id, tag, -1), -1
        if row is not None:
            room.cursors[person.person_id, tag] = (row["rank"] - 1, until if start >= 0 else now + CURSOR_SECONDS)
            best = row if best is None or row["rank"] < best["rank"] else best
    return best


def _free_after(connection: sa.Connection, person_id: str, tag: str, rank: int) -> Mapping[Any, Any] | None:
    seen = sa.exists().where(
        LEASES.c.person_id == person_id, LEASES.c.pair_id == PAIR_STATES.c.pair_id, LEASES.c.state != "expired"
    )
    query = (
        sa.select(PAIR_STATES.c.pair_id, PAIR_STATES.c.rank)
        .where(PAIR_STATES.c.tag == tag, sa.text("pair_states.free > 0"), PAIR_STATES.c.rank > rank, ~seen)
        .order_by(PAIR_STATES.c.rank)
        .limit(1)
    )
    return connection.execute(query).mappings().first()


def _skipped(connection: sa.Connection, person: Person) -> str | None:
    query = (
        sa.select(LEASES.c.pair_id)
        .join(PAIR_STATES, PAIR_STATES.c.pair_id == LEASES.c.pair_id)
        .where(
            LEASES.c.person_id == person.person_id,
            LEASES.c.state == "skipped",
            LEASES.c.round == "first",
            sa.text("pair_states.free > 0"),
        )
        .order_by(LEASES.c.leased_at)
        .limit(1)
    )
    return connection.execute(query).scalar()


def _dispute(room: Room, connection: sa.Connection, person: Person) -> Lease | Nothing:
    """The most urgent dispute that no expert holds and that the person has not voted on; a skipped one only when no other is left."""
    held = sa.exists().where(LEASES.c.pair_id == PAIR_STATES.c.pair_id, LEASES.c.round == "expert", LEASES.c.state == "active")
    own = sa.exists().where(
        LEASES.c.person_id == person.person_id,
        LEASES.c.pair_id == PAIR_STATES.c.pair_id,
        LEASES.c.state.in_(["active", "voted", "late"]),
    )
    skipped = sa.exists().where(
        LEASES.c.person_id == person.person_id, LEASES.c.pair_id == PAIR_STATES.c.pair_id, LEASES.c.state == "skipped"
    )
    for more in ((~skipped,), ()):
        query = (
            sa.select(PAIR_STATES.c.pair_id)
            .where(sa.text("pair_states.state = 'disputed'"), PAIR_STATES.c.tag.in_(["", *person.tags]), ~held, ~own, *more)
            .order_by(PAIR_STATES.c.rank)
            .limit(1)
        )
        pair_id = connection.execute(query).scalar()
        if pair_id is not None:
            return give(room, connection, person.person_id, pair_id, "expert", "expert")
    return Nothing("empty")


def set_qualified(connection: sa.Connection, person_id: str, passed: bool) -> None:
    """Keep the outcome of the qualification."""
    connection.execute(PEOPLE.update().where(PEOPLE.c.person_id == person_id).values(qualified=passed))
