"""After each vote: what a pair's votes amount to now, kept beside them so that nothing has to fold the whole table."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from goldsmith.gold import events
from goldsmith.gold.adjudicate import Outcome, adjudicate
from goldsmith.gold.retests import draw_for
from goldsmith.gold.room import Room
from goldsmith.gold.schema import LEASES, PAIR_STATES
from goldsmith.gold.votes import votes_in

AT_ONCE = 200
STATES = {"waiting": "open", "disputed": "disputed", "gold": "gold", "discarded": "discarded"}


def settle(room: Room, connection: sa.Connection, pair_id: str, *, retests: bool = True) -> Outcome | None:
    """Bring a pair's state up to its votes and return the outcome; None when it is in no queue. A pair that has become gold gets its `retests`."""
    row = connection.execute(sa.select(PAIR_STATES).where(PAIR_STATES.c.pair_id == pair_id)).mappings().first()
    if row is None:
        return None
    votes = votes_in(connection, [pair_id]).get(pair_id, [])
    outcome = adjudicate(votes, votes_per_pair=row["wanted"], max_strength_gap=room.gold.max_strength_gap)
    state, now = STATES[outcome.state], room.clock()
    if (state, outcome.label, outcome.how) == (row["state"], row["label"], row["how"]):
        return outcome
    connection.execute(
        PAIR_STATES.update()
        .where(PAIR_STATES.c.pair_id == pair_id)
        .values(
            state=state,
            label=outcome.label,
            how=outcome.how,
            was_disputed=outcome.was_disputed,
            settled_at=now if state in ("gold", "discarded") else None,
        )
    )
    events.record(connection, now, events.SYSTEM, f"pair.{state}", pair_id, label=outcome.label, how=outcome.how)
    if state == "gold" and retests:
        draw_for(room, connection, pair_id, row, [vote for vote in votes if vote.round == "first"])
    return outcome


def recount(room: Room, pair_ids: Sequence[str]) -> None:
    """Bring seats and states of pairs up to votes that did not come through the room (a file, another program); these are not retested."""
    names = list(dict.fromkeys(pair_ids))
    for start in range(0, len(names), AT_ONCE):
        with room.database.write() as connection:
            for pair_id in names[start : start + AT_ONCE]:
                _recount_seats(connection, pair_id)
                settle(room, connection, pair_id, retests=False)


def _recount_seats(connection: sa.Connection, pair_id: str) -> None:
    given = sum(vote.round == "first" for vote in votes_in(connection, [pair_id]).get(pair_id, []))
    leased = connection.execute(
        sa.select(sa.func.count())
        .select_from(LEASES)
        .where(LEASES.c.pair_id == pair_id, LEASES.c.state == "active", LEASES.c.round == "first")
    ).scalar_one()
    wanted = connection.execute(sa.select(PAIR_STATES.c.wanted).where(PAIR_STATES.c.pair_id == pair_id)).scalar()
    if wanted is not None:
        # A lease whose seat a file has filled meanwhile keeps its text; its vote will be a late one.
        counted = min(given, wanted)
        connection.execute(
            PAIR_STATES.update()
            .where(PAIR_STATES.c.pair_id == pair_id)
            .values(num_votes=counted, free=max(0, wanted - counted - leased))
        )
