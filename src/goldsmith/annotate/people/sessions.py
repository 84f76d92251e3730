"""Sessions: a random token in a cookie, its hash in the database, so that a copy of the database lets nobody in."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

import sqlalchemy as sa

from goldsmith.gold import events
from goldsmith.gold.people import Person, person_of
from goldsmith.gold.room import Room
from goldsmith.gold.schema import PEOPLE, SESSIONS

TOUCHED_EVERY = 60.0
"""Seconds between two writes of when a session was last seen."""
OPEN_SESSION = (
    sa.select(SESSIONS.c.csrf, SESSIONS.c.seen_at, PEOPLE)
    .join(PEOPLE, PEOPLE.c.person_id == SESSIONS.c.person_id)
    .where(
        SESSIONS.c.session_hash == sa.bindparam("key"), SESSIONS.c.expires_at > sa.bindparam("now"), PEOPLE.c.state == "active"
    )
)
"""Made once, since every request asks for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A signed-in person and the value that their forms and calls must carry."""

    person: Person
    csrf: str
    token: str


def open_session(room: Room, person_id: str, how: str) -> str:
    """Sign a person in and return the token for the cookie."""
    token, now = secrets.token_urlsafe(32), room.clock()
    row = {
        "session_hash": hashed(token),
        "person_id": person_id,
        "csrf": secrets.token_urlsafe(32),
        "created_at": now,
        "seen_at": now,
    }
    with room.database.write() as connection:
        connection.execute(SESSIONS.delete().where(SESSIONS.c.expires_at < now))
        connection.execute(SESSIONS.insert().values({**row, "expires_at": now + 3600 * room.rules.session_hours}))
        events.record(connection, now, person_id, "session.opened", person_id, how=how)
    return token


def find_session(room: Room, token: str) -> Session | None:
    """Return the session of a cookie; None when it has ended or the account is disabled."""
    key, now = hashed(token), room.clock()
    with room.database.read() as connection:
        row = connection.execute(OPEN_SESSION, {"key": key, "now": now}).mappings().first()
    if row is None:
        return None
    if now - row["seen_at"] > TOUCHED_EVERY:
        with room.database.write() as connection:
            touched = {"seen_at": now, "expires_at": now + 3600 * room.rules.session_hours}
            connection.execute(SESSIONS.update().where(SESSIONS.c.session_hash == key).values(touched))
    return Session(person=person_of(row), csrf=row["csrf"], token=token)


def close_session(room: Room, session: Session) -> None:
    """Sign out: the cookie is worth nothing from now on."""
    with room.database.write() as connection:
        connection.execute(SESSIONS.delete().where(SESSIONS.c.session_hash == hashed(session.token)))
        events.record(connection, room.clock(), session.person.person_id, "session.closed", session.person.person_id)


def close_all(connection: sa.Connection, person_id: str, but: str | None = None) -> None:
    """End a person's sessions, except that of the token `but`."""
    kept = hashed(but) if but is not None else ""
    connection.execute(SESSIONS.delete().where(SESSIONS.c.person_id == person_id, SESSIONS.c.session_hash != kept))


def hashed(token: str) -> str:
    """Return what is stored of a token. It is long and random, so a plain hash is enough."""
    return hashlib.sha256(token.encode()).hexdigest()
