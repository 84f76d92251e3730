"""Invitations: an address gets a link that makes one account, once, for two weeks."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from goldsmith.annotate.people.passwords import hash_password
from goldsmith.annotate.people.sessions import hashed
from goldsmith.errors import UserError
from goldsmith.gold import events
from goldsmith.gold.people import ROLES, Person, add_person, check_role, clean_email, clean_tags, find_person
from goldsmith.gold.room import Room
from goldsmith.gold.schema import INVITATIONS

VALID_SECONDS = 14 * 86_400


def invite(room: Room, actor: str, email: str, role: str, tags: Sequence[str] = ()) -> str:
    """Invite an address and return the token of its link; an earlier invitation of it is worth nothing from now on.

    Raises:
        UserError: the address is none or has an account, or the role is unknown.
    """
    address, token, now = clean_email(email), secrets.token_urlsafe(32), room.clock()
    check_role(role)
    row = {
        "token_hash": hashed(token),
        "email": address,
        "role": role,
        "tags": json.dumps(clean_tags(list(tags))),
        "invited_by": actor,
    }
    with room.database.write() as connection:
        if find_person(connection, email=address) is not None:
            raise UserError(f"{address} has an account already; change it on the page of people")
        connection.execute(INVITATIONS.delete().where(INVITATIONS.c.email == address))
        connection.execute(INVITATIONS.insert().values({**row, "expires_at": now + VALID_SECONDS}))
        events.record(connection, now, actor, "person.invited", address, role=role, tags=list(tags))
    return token


def find_invitation(room: Room, token: str) -> Mapping[Any, Any] | None:
    """Return an invitation that is still open."""
    query = sa.select(INVITATIONS).where(INVITATIONS.c.token_hash == hashed(token), INVITATIONS.c.expires_at > room.clock())
    with room.database.read() as connection:
        return connection.execute(query).mappings().first()


def accept(room: Room, token: str, name: str, password: str) -> Person | None:
    """Make the account of an invitation and return it; None when the invitation was used meanwhile."""
    password_hash = hash_password(password)
    with room.database.write() as connection:
        query = sa.select(INVITATIONS).where(INVITATIONS.c.token_hash == hashed(token), INVITATIONS.c.expires_at > room.clock())
        row = connection.execute(query.with_for_update()).mappings().first()
        if row is None:
            return None
        return from_invitation(room, connection, row, name, password_hash=password_hash)


def from_invitation(room: Room, connection: sa.Connection, row: Mapping[Any, Any], name: str, **more: Any) -> Person:
    """Make the account that an invitation's row promises; the row goes with it."""
    return add_person(connection, room.clock(), row["email"], row["email"], name, row["role"], json.loads(row["tags"]), **more)


def may_give(role: str) -> list[str]:
    """Return the roles that somebody of a role may give to others: leads give annotator and expert, admins all."""
    return list(ROLES) if role == "admin" else ["annotator", "expert"] if role == "lead" else []
