"""How far the annotation is: pairs, votes, days, cost, coverage, agreement over time; counted by the database."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from goldsmith.gold.agreement import CHOICES, Pattern, alpha_of
from goldsmith.gold.retests import nobody_left
from goldsmith.gold.room import Room
from goldsmith.gold.schema import LEASES, PAIR_STATES, PEOPLE, RETESTS, VOTES

DAYS = 30
WINDOW_DAYS = 7
SECONDS_A_DAY = 86_400
LITERAL_DAY: sa.ColumnElement[float] = sa.literal_column("86400.0", sa.Float)
"""Written out: PostgreSQL does not take two parameters of one value for one expression, in a list of columns and in GROUP BY."""
STATES = ("open", "disputed", "gold", "discarded")


def progress(room: Room, connection: sa.Connection) -> dict[str, Any]:
    """Return the counts of pairs by state, of first-round votes given and needed, of late votes, of people who hold a pair now, and of retests nobody is left for."""
    query = sa.select(
        PAIR_STATES.c.state, sa.func.count(), sa.func.sum(PAIR_STATES.c.num_votes), sa.func.sum(PAIR_STATES.c.wanted)
    ).group_by(PAIR_STATES.c.state)
    rows = {state: (count, given, wanted) for state, count, given, wanted in connection.execute(query)}
    late = connection.execute(sa.select(sa.func.count()).select_from(VOTES).where(VOTES.c.round == "late")).scalar_one()
    active = sa.select(sa.func.count(sa.distinct(LEASES.c.person_id))).where(
        LEASES.c.state == "active", LEASES.c.expires_at > room.clock()
    )
    return {
        "pairs": sum(count for count, _, _ in rows.values()),
        **{state: rows.get(state, (0, 0, 0))[0] for state in STATES},
        "votes_given": int(sum(given for _, given, _ in rows.values())),
        "votes_needed": int(sum(wanted for _, _, wanted in rows.values())),
        "late": late,
        "active_now": connection.execute(active).scalar_one(),
        "retests_without_people": nobody_left(connection, room.clock()),
    }


def throughput(room: Room, connection: sa.Connection) -> list[dict[str, Any]]:
    """Return votes, hours and new gold pairs of each of the last 30 days, the oldest first."""
    first_day = _day(room.clock()) - DAYS + 1
    day = sa.func.floor(VOTES.c.at / LITERAL_DAY)
    given = (
        sa.select(day, sa.func.count(), sa.func.sum(VOTES.c.seconds))
        .where(VOTES.c.at >= first_day * SECONDS_A_DAY, VOTES.c.withdrawn_at.is_(None))
        .group_by(day)
    )
    settled = sa.func.floor(PAIR_STATES.c.settled_at / LITERAL_DAY)
    made = (
        sa.select(settled, sa.func.count())
        .where(PAIR_STATES.c.settled_at >= first_day * SECONDS_A_DAY, PAIR_STATES.c.state == "gold")
        .group_by(settled)
    )
    votes = {int(row[0]): (row[1], row[2] or 0.0) for row in connection.execute(given)}
    gold = {int(row[0]): row[1] for row in connection.execute(made)}
    return [
        {
            "day": _date(day),
            "votes": votes.get(day, (0, 0.0))[0],
            "gold": gold.get(day, 0),
            "hours": votes.get(day, (0, 0.0))[1] / 3600,
        }
        for day in range(first_day, first_day + DAYS)
    ]


def cost(room: Room, connection: sa.Connection) -> dict[str, Any] | None:
    """Return what the votes have cost by people's hourly cost and the time on the screen, and for each gold pair; None when nobody has a cost."""
    if connection.execute(sa.select(PEOPLE.c.person_id).where(PEOPLE.c.hourly_cost.is_not(None)).limit(1)).first() is None:
        return None
    query = sa.select(sa.func.sum(VOTES.c.seconds * PEOPLE.c.hourly_cost), sa.func.sum(VOTES.c.seconds)).join(
        PEOPLE, PEOPLE.c.person_id == VOTES.c.annotator
    )
    paid, seconds = connection.execute(query).one()
    num_gold = connection.execute(
        sa.select(sa.func.count()).select_from(PAIR_STATES).where(PAIR_STATES.c.state == "gold")
    ).scalar_one()
    total = (paid or 0.0) / 3600
    return {
        "currency": room.rules.currency,
        "total": total,
        "hours": (seconds or 0.0) / 3600,
        "per_gold": total / num_gold if num_gold else None,
    }


def disputes(room: Room, connection: sa.Connection) -> dict[str, Any]:
    """Return how many disputes are open, decided and discarded, and for how many hours the oldest has waited since its last vote."""
    query = sa.select(PAIR_STATES.c.state, sa.func.count()).where(PAIR_STATES.c.was_disputed).group_by(PAIR_STATES.c.state)
    states: dict[str, int] = {state: count for state, count in connection.execute(query)}
    last = (
        sa.select(sa.func.max(VOTES.c.at).label("at"))
        .join(PAIR_STATES, PAIR_STATES.c.pair_id == VOTES.c.pair_id)
        .where(sa.text("pair_states.state = 'disputed'"), VOTES.c.round == "first")
        .group_by(VOTES.c.pair_id)
        .subquery()
    )
    oldest = connection.execute(sa.select(sa.func.min(last.c.at))).scalar()
    hours = (room.clock() - oldest) / 3600 if oldest is not None else None
    return {
        "open": states.get("disputed", 0),
        "decided": states.get("gold", 0),
        "discarded": states.get("discarded", 0),
        "oldest_hours": hours,
    }


def coverage(connection: sa.Connection) -> list[dict[str, Any]]:
    """Return pairs, settled pairs and gold by task, objectivity and controversiality, the largest first."""
    keys = (PAIR_STATES.c.task, PAIR_STATES.c.objectivity, PAIR_STATES.c.controversiality)
    is_gold = sa.case((PAIR_STATES.c.state == "gold", 1), else_=0)
    is_settled = sa.case((PAIR_STATES.c.state.in_(["gold", "discarded"]), 1), else_=0)
    query = sa.select(
        *keys, sa.func.count().label("pairs"), sa.func.sum(is_settled).label("settled"), sa.func.sum(is_gold).label("gold")
    )
    names = ("task", "objectivity", "controversiality", "pairs", "settled", "gold")
    rows = connection.execute(query.group_by(*keys).order_by(sa.desc("pairs"), *keys))
    return [dict(zip(names, (*row[:4], int(row[4]), int(row[5])), strict=True)) for row in rows]


def alpha_over_time(room: Room, connection: sa.Connection) -> list[dict[str, Any]]:
    """Return nominal alpha over the pairs that got their last first-round vote in the seven days up to each of the last 30 days.

    Disputes that wait for an expert are among them: without these, agreement would always look perfect. Days without any pair are left out.
    """
    first_day = _day(room.clock()) - DAYS + 1
    by_day = _patterns_by_day(connection, (first_day - WINDOW_DAYS) * SECONDS_A_DAY)
    rows = []
    for day in range(first_day, first_day + DAYS):
        window: Counter[Pattern] = Counter()
        for at in range(day - WINDOW_DAYS + 1, day + 1):
            window.update(by_day.get(at, {}))
        if window:
            rows.append({"day": _date(day), **asdict(alpha_of(window, "nominal", seed=room.seed, resamples=200))})
    return rows


def _patterns_by_day(connection: sa.Connection, since: float) -> dict[int, Counter[Pattern]]:
    day = sa.func.floor(sa.func.max(VOTES.c.at) / LITERAL_DAY).label("day")
    sums = [sa.func.sum(sa.case((VOTES.c.choice == choice, 1), else_=0)).label(f"n{at}") for at, choice in enumerate(CHOICES)]
    per_pair = (
        sa.select(day, *sums)
        .join(PAIR_STATES, PAIR_STATES.c.pair_id == VOTES.c.pair_id)
        .where(
            VOTES.c.round == "first",
            VOTES.c.withdrawn_at.is_(None),
            sa.or_(PAIR_STATES.c.settled_at >= since, PAIR_STATES.c.state == "disputed"),
        )
        .group_by(VOTES.c.pair_id)
        .having(sa.func.max(VOTES.c.at) >= since)
        .subquery()
    )
    columns = list(per_pair.c)
    found: dict[int, Counter[Pattern]] = defaultdict(Counter)
    for row in connection.execute(sa.select(*columns, sa.func.count()).group_by(*columns)):
        found[int(row[0])][tuple(int(value) for value in row[1:-1])] += row[-1]
    return found


def _day(at: float) -> int:
    return int(at // SECONDS_A_DAY)


def _date(day: int) -> str:
    return datetime.fromtimestamp(day * SECONDS_A_DAY, UTC).date().isoformat()


@dataclass(frozen=True, slots=True)
class QueueState:
    """How many pairs and retests wait for people, and how many votes there are."""

    waiting: int
    num_votes: int


def queue_state(connection: sa.Connection) -> QueueState:
    """Return what a run that waits looks at; what returns to the same person after days is not waited for."""
    pairs = sa.select(sa.func.count()).select_from(PAIR_STATES).where(PAIR_STATES.c.state.in_(["open", "disputed"]))
    again = sa.select(sa.func.count()).select_from(RETESTS).where(RETESTS.c.person_id.is_(None), RETESTS.c.state != "done")
    votes = sa.select(sa.func.count()).select_from(VOTES).where(VOTES.c.withdrawn_at.is_(None))
    return QueueState(
        connection.execute(pairs).scalar_one() + connection.execute(again).scalar_one(), connection.execute(votes).scalar_one()
    )
