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

from goldsmith.gold.leases import Lease, Material, active_lease, expire, give, material_of_queue, read_material, sweep
from goldsmith.gold.order import needed_tag
from goldsmith.gold.people import Person
from goldsmith.gold.retests import open_retest, skipped_retest
from goldsmith.gold.room import Room
from goldsmith.gold.schema import CHECK_ITEMS, LEASES, PAIR_STATES, PEOPLE, RETESTS, VOTES
from goldsmith.identity import unit_interval

CURSOR_SECONDS = 60.0
"""How long a cursor is believed: a seat that becomes free again before it is found after so long, or when nothing else is left."""
LOOKED_AT = 50
"""Hidden checks that are compared with the pair that comes next."""
FREE_AFTER = (
    sa.select(PAIR_STATES.c.pair_id, PAIR_STATES.c.rank)
    .where(
        PAIR_STATES.c.tag == sa.bindparam("with_tag"),
        sa.text("pair_states.free > 0"),
        PAIR_STATES.c.rank > sa.bindparam("after"),
        ~sa.exists().where(
            LEASES.c.person_id == sa.bindparam("person"), LEASES.c.pair_id == PAIR_STATES.c.pair_id, LEASES.c.state != "expired"
        ),
    )
    .order_by(PAIR_STATES.c.rank)
    .limit(1)
)
"""The first free seat that is new to a person; made once, since every pair that is handed out asks for it."""
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
    for _ in range(ATTEMPTS):
        try:
            found = room.database.transact(lambda connection: _assign(room, connection, person, queue))
        except sa.exc.IntegrityError:  # two tabs asked at the same moment, or two experts wanted one dispute
            with room.database.read() as connection:
                found = active_lease(connection, person.person_id, queue)
        if found is not None:
            return found
    return Nothing("empty")


def standing_of(room: Room, connection: sa.Connection, person: Person) -> Standing:
    """Return how far a person is today and in the qualification."""
    done, right = 0, 0
    needed = items_needed(room, connection) if person.qualified is None and person.role == "annotator" else 0
    if needed:
        done, right = qualification_result(connection, person.person_id)
    limit, midnight = person.daily_limit or room.rules.daily_limit, _midnight(room)
    today = _num_votes(connection, person.person_id, VOTES.c.at >= midnight)
    return Standing(
        today=today,
        total=today + _before(room, connection, person.person_id, midnight),
        daily_limit=limit,
        done=done,
        needed=needed,
        right=right,
        qualified=person.qualified,
    )


def _before(room: Room, connection: sa.Connection, person_id: str, midnight: float) -> int:
    """Votes of the days before, counted once a day: a person has ten thousands of them after a year."""
    known = room.memory.totals.get(person_id)
    if known is None or known[0] != midnight:
        known = (midnight, _num_votes(connection, person_id, VOTES.c.at < midnight))
        room.memory.totals[person_id] = known
    return known[1]


def _num_votes(connection: sa.Connection, person_id: str, condition: Any) -> int:
    """Votes of a person, without those taken back."""
    own = (VOTES.c.annotator == person_id, condition, VOTES.c.withdrawn_at.is_(None))
    return connection.execute(sa.select(sa.func.count()).select_from(VOTES).where(*own)).scalar_one()


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
    held = active_lease(connection, person.person_id, queue)
    if held is not None and held.expires_at > room.clock():
        return held
    if held is not None:
        expire(room, connection, held)
    standing = standing_of(room, connection, person)
    if standing.daily_limit is not None and standing.today >= standing.daily_limit:
        return Nothing("daily-limit")
    if queue == "expert":
        return _dispute(room, connection, person)
    if person.qualified is False:
        return Nothing("failed-qualification")
    if standing.done < standing.needed:
        return _qualification(room, connection, person) or Nothing("not-qualified")
    due = open_retest(connection, person.person_id, person.tags, room.clock())
    return (
        _check(room, connection, person, standing.today)
        or _retest(room, connection, person, due)
        or _seat(room, connection, person)
    )


def _check(room: Room, connection: sa.Connection, person: Person, today: int) -> Lease | None:
    """A hidden check, when the draw for this person, day and count says so, and an item is left that looks like the pair that comes next."""
    day = datetime.fromtimestamp(room.clock(), UTC).date().isoformat()
    draw = unit_interval(f"check:{person.person_id}:{day}:{today}", room.seed)
    if not room.rules.check_rate or draw >= room.rules.check_rate:
        return None
    ordinary = _first_free(room, connection, person)
    if ordinary is None:
        return None
    look, start = material_of_queue(connection, ordinary["pair_id"]).look, draw / room.rules.check_rate
    candidates = [row for low in (start, 0.0) for row in connection.execute(_unseen(person, "check", low, LOOKED_AT))]
    known = ((row.pair_id, read_material(row)) for row in candidates)
    alike = next((name for name, found in known if found.look == look and _is_for(room, person, found)), None)
    return give(room, connection, person.person_id, alike, "work", "check") if alike is not None else None


def _is_for(room: Room, person: Person, material: Material) -> bool:
    """Whether a person has the tag that a pair's task asks for."""
    tag = needed_tag(str((material.attributes or {}).get("task", "")), room.rules.expertise)
    return not tag or tag in person.tags


def _qualification(room: Room, connection: sa.Connection, person: Person) -> Lease | None:
    """The next item of the test; those that were skipped come at its end, since the test is not over without them."""
    skipped = (LEASES.c.person_id == person.person_id, LEASES.c.round == "qualify", LEASES.c.state == "skipped")
    row = (
        connection.execute(_unseen(person, "qualify", 0.0, 1)).first()
        or connection.execute(sa.select(LEASES.c.pair_id).where(*skipped).order_by(LEASES.c.leased_at).limit(1)).first()
    )
    return give(room, connection, person.person_id, row.pair_id, "work", "qualify") if row is not None else None


def _unseen(person: Person, use: str, start: float, limit: int) -> sa.Select[Any]:
    """Pairs with a known answer that the person has not had, in the order of their draw."""
    seen = sa.exists().where(
        LEASES.c.person_id == person.person_id, LEASES.c.pair_id == CHECK_ITEMS.c.pair_id, LEASES.c.state != "expired"
    )
    columns = (CHECK_ITEMS.c.pair_id, CHECK_ITEMS.c.record, CHECK_ITEMS.c.attributes, sa.null().label("checks"))
    query = sa.select(*columns).where(CHECK_ITEMS.c.use == use, CHECK_ITEMS.c.draw >= start, ~seen)
    return query.order_by(CHECK_ITEMS.c.draw).limit(limit)


def _retest(room: Room, connection: sa.Connection, person: Person, found: Mapping[Any, Any] | None) -> Lease | None:
    """Lease a retest that was found, unless somebody else was quicker."""
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
        return _retest(room, connection, person, skipped_retest(connection, person.person_id)) or Nothing("empty")
    taken = connection.execute(
        PAIR_STATES.update().where(PAIR_STATES.c.pair_id == pair_id, PAIR_STATES.c.free > 0).values(free=PAIR_STATES.c.free - 1)
    )
    return give(room, connection, person.person_id, pair_id, "work", "first") if taken.rowcount else None


def _first_free(room: Room, connection: sa.Connection, person: Person) -> Mapping[Any, Any] | None:
    now, best = room.clock(), None
    for tag in ("", *person.tags):
        cursor, until = room.memory.cursors.get((person.person_id, tag), (-1, 0.0))
        start = cursor if now < until else -1
        row = _free_after(connection, person.person_id, tag, start)
        if row is None and start >= 0:
            row, start = _free_after(connection, person.person_id, tag, -1), -1
        if row is not None:
            room.memory.cursors[person.person_id, tag] = (row["rank"] - 1, until if start >= 0 else now + CURSOR_SECONDS)
            best = row if best is None or row["rank"] < best["rank"] else best
    return best


def _free_after(connection: sa.Connection, person_id: str, tag: str, rank: int) -> Mapping[Any, Any] | None:
    return connection.execute(FREE_AFTER, {"person": person_id, "with_tag": tag, "after": rank}).mappings().first()


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
