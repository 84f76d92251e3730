"""Retests: votes that are asked for again, blind, of other people or, after some days, of the same person (spec 4: Human protocol).

Which pairs are drawn follows from their id and the seed, so that neither the room nor a person can choose; a batch whose gate is undecided draws more, in
the same order.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from goldsmith.gold import events
from goldsmith.gold.people import CAN
from goldsmith.gold.room import Room
from goldsmith.gold.schema import LEASES, PAIR_STATES, PEOPLE, RETESTS
from goldsmith.identity import unit_interval
from goldsmith.types import Vote

SECONDS_A_DAY = 86_400


def _open_retest() -> sa.Select[Any]:
    """Of `person_id`, who knows `tags`, at `now`; made once, since every pair that is handed out asks for it.

    A retest that a person let run out comes back to them: they have seen the pair as that retest alone. One of their own that was skipped waits, and
    one that was voted on too late is over.
    """
    person_id = sa.bindparam("person_id", type_=sa.String)
    query = (
        sa.select(RETESTS)
        .where(sa.text("retests.state = 'open'"), RETESTS.c.due_at <= sa.bindparam("now"))
        .order_by(RETESTS.c.due_at, RETESTS.c.rank)
        .limit(1)
    )
    had = sa.exists().where(LEASES.c.person_id == person_id, LEASES.c.pair_id == RETESTS.c.pair_id)
    seen = had.where(sa.or_(LEASES.c.round != "retest", LEASES.c.state != "expired"))
    answered = had.where(LEASES.c.round == "retest", LEASES.c.state.in_(["skipped", "voted", "late"]))
    of_others = (RETESTS.c.person_id.is_(None), RETESTS.c.tag.in_(sa.bindparam("tags", expanding=True)), ~seen)
    own, others = query.where(RETESTS.c.person_id == person_id, ~answered).subquery(), query.where(*of_others).subquery()
    both = sa.union_all(sa.select(own, sa.literal(0).label("turn")), sa.select(others, sa.literal(1).label("turn"))).subquery()
    return sa.select(both).order_by(both.c.turn).limit(1)


OPEN_RETEST = _open_retest()


def draw_for(room: Room, connection: sa.Connection, pair_id: str, state: Mapping[Any, Any], first_votes: Sequence[Vote]) -> None:
    """Ask for the retests that fall on a pair which has just become gold; a pair that has some gets no more."""
    if connection.execute(sa.select(RETESTS.c.retest_id).where(RETESTS.c.pair_id == pair_id)).first() is not None:
        return
    if unit_interval(f"retest:{pair_id}", room.seed) < room.gold.retest_share:
        _add(room, connection, pair_id, state, None, room.clock())
    if first_votes and unit_interval(f"retest-same:{pair_id}", room.seed) < room.gold.retest_same_share:
        place = int(unit_interval(f"retest-whom:{pair_id}", room.seed) * len(first_votes))
        person_id = sorted(vote.annotator for vote in first_votes)[place]
        if connection.execute(sa.select(PEOPLE.c.person_id).where(PEOPLE.c.person_id == person_id)).first() is not None:
            _add(room, connection, pair_id, state, person_id, room.clock() + room.gold.retest_same_days * SECONDS_A_DAY)


def draw_more(room: Room, batch: str, count: int, actor: str = events.SYSTEM) -> int:
    """Ask for at most `count` more retests by others in a batch and return how many were asked for; `gold.retest_max_share` bounds them all."""
    with room.database.write() as connection:
        settled = (
            connection.execute(sa.select(PAIR_STATES).where(PAIR_STATES.c.batch == batch, PAIR_STATES.c.state == "gold"))
            .mappings()
            .all()
        )
        drawn = set(
            connection.execute(
                sa.select(RETESTS.c.pair_id).where(RETESTS.c.batch == batch, RETESTS.c.person_id.is_(None))
            ).scalars()
        )
        room_left = int(room.gold.retest_max_share * len(settled)) - len(drawn)
        candidates = sorted(
            (row for row in settled if row["pair_id"] not in drawn),
            key=lambda row: unit_interval(f"retest:{row['pair_id']}", room.seed),
        )
        chosen = candidates[: max(0, min(count, room_left))]
        for row in chosen:
            _add(room, connection, row["pair_id"], row, None, room.clock(), actor)
    return len(chosen)


def forget_open(room: Room, connection: sa.Connection, pair_id: str) -> bool:
    """Take back a pair's retests, since it is no longer gold, and return whether that was possible: none has been handed out."""
    states = connection.execute(sa.select(RETESTS.c.state).where(RETESTS.c.pair_id == pair_id)).scalars().all()
    if any(state != "open" for state in states):
        return False
    if states:
        connection.execute(RETESTS.delete().where(RETESTS.c.pair_id == pair_id))
        events.record(connection, room.clock(), events.SYSTEM, "retest.forgotten", pair_id, count=len(states))
    return True


def open_retest(connection: sa.Connection, person_id: str, tags: Sequence[str], now: float) -> Mapping[Any, Any] | None:
    """Return a retest that is due for a person: one of their own earlier pairs, else one that they have never seen."""
    values = {"person_id": person_id, "tags": ["", *tags], "now": now}
    return connection.execute(OPEN_RETEST, values).mappings().first()


def skipped_retest(connection: sa.Connection, person_id: str) -> Mapping[Any, Any] | None:
    """Return a retest that a person has skipped and nobody has done since, the longest ago first."""
    query = (
        sa.select(RETESTS)
        .join(LEASES, LEASES.c.retest_id == RETESTS.c.retest_id)
        .where(
            LEASES.c.person_id == person_id, LEASES.c.round == "retest", LEASES.c.state == "skipped", RETESTS.c.state == "open"
        )
        .order_by(LEASES.c.leased_at)
        .limit(1)
    )
    return connection.execute(query).mappings().first()


def nobody_left(connection: sa.Connection, now: float) -> int:
    """Return the number of retests that wait for somebody who has not seen the pair while everybody who may vote has: more people are needed.

    Tags are left aside, so that a missing tag alone is not counted.
    """
    had = sa.exists().where(LEASES.c.person_id == PEOPLE.c.person_id, LEASES.c.pair_id == RETESTS.c.pair_id)
    seen = had.where(sa.or_(LEASES.c.round != "retest", LEASES.c.state.in_(["voted", "late"])))
    voters = [role for role, allowed in CAN.items() if "vote" in allowed]
    free = sa.exists().where(PEOPLE.c.state == "active", PEOPLE.c.role.in_(voters), ~seen.correlate(PEOPLE, RETESTS))
    query = sa.select(sa.func.count()).where(RETESTS.c.state == "open", RETESTS.c.person_id.is_(None), RETESTS.c.due_at <= now)
    return int(connection.execute(query.where(~free.correlate(RETESTS))).scalar_one())


def _add(
    room: Room,
    connection: sa.Connection,
    pair_id: str,
    state: Mapping[Any, Any],
    person_id: str | None,
    due_at: float,
    actor: str = events.SYSTEM,
) -> None:
    row = {
        "retest_id": secrets.token_hex(16),
        "pair_id": pair_id,
        "batch": state["batch"],
        "tag": state["tag"],
        "person_id": person_id,
        "due_at": due_at,
        "state": "open",
        "rank": state["rank"],
    }
    connection.execute(RETESTS.insert().values(row))
    events.record(connection, room.clock(), actor, "retest.drawn", pair_id, of="others" if person_id is None else person_id)
