"""People of the annotation room: who they are and what they may do (no passwords here; `annotate.people` has those)."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import sqlalchemy as sa

from goldsmith.errors import UserError
from goldsmith.gold import events
from goldsmith.gold.schema import INVITATIONS, PEOPLE

Role = Literal["annotator", "expert", "lead", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
CAN: dict[Role, tuple[str, ...]] = {
    "annotator": ("vote",),
    "expert": ("vote", "expert"),
    "lead": ("expert", "lead"),
    "admin": ("expert", "lead", "admin"),
}
"""Who can see the votes of others (lead, admin) takes no part in the first round or in retests: these are blind."""
NEEDED = {"work": "vote", "expert": "expert"}
"""What somebody must be allowed in order to work on a queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One person with an account; `qualified` is None until a test was taken (or none is needed)."""

    person_id: str
    email: str
    name: str
    role: Role
    state: str = "active"
    tags: tuple[str, ...] = ()
    language: str = ""
    daily_limit: int | None = None
    hourly_cost: float | None = None
    qualified: bool | None = None

    @property
    def can(self) -> tuple[str, ...]:
        """What the role allows: `vote`, `expert`, `lead`, `admin`."""
        return CAN[self.role]


def person_of(row: Mapping[Any, Any]) -> Person:
    """Return the person of a row of `people`."""
    names = ("person_id", "email", "name", "role", "state", "language", "daily_limit", "hourly_cost", "qualified")
    return Person(**{name: row[name] for name in names}, tags=tuple(json.loads(row["tags"])))


def find_person(
    connection: sa.Connection, *, person_id: str | None = None, email: str | None = None, subject: str | None = None
) -> Mapping[Any, Any] | None:
    """Return the row of one person by id, address or OpenID subject; None when there is none."""
    condition = PEOPLE.c.person_id == person_id
    if email is not None:
        condition = PEOPLE.c.email == clean_email(email)
    if subject is not None:
        condition = PEOPLE.c.subject == subject
    return connection.execute(sa.select(PEOPLE).where(condition)).mappings().first()


def add_person(
    connection: sa.Connection, at: float, actor: str, email: str, name: str, role: str, tags: list[str], **more: Any
) -> Person:
    """Make an account and return it.

    Raises:
        UserError: the address is none or has an account, or the role is unknown.
    """
    address = clean_email(email)
    check_role(role)
    if find_person(connection, email=address) is not None:
        raise UserError(f"{address} has an account already; change it on the page of people")
    row = {
        "person_id": secrets.token_hex(16),
        "email": address,
        "name": clean_name(name) or address.partition("@")[0],
        "role": role,
        "state": "active",
        "tags": json.dumps(clean_tags(tags)),
        "language": "",
        "created_at": at,
        **more,
    }
    connection.execute(PEOPLE.insert().values(row))
    connection.execute(INVITATIONS.delete().where(INVITATIONS.c.email == address))
    events.record(connection, at, actor, "person.added", row["person_id"], email=address, role=role, tags=clean_tags(tags))
    found = find_person(connection, person_id=row["person_id"])
    assert found is not None
    return person_of(found)


def change_person(connection: sa.Connection, at: float, actor: str, person_id: str, **changes: Any) -> None:
    """Change columns of one person; the event names them with their new values."""
    values = {**changes, "tags": json.dumps(clean_tags(changes["tags"]))} if "tags" in changes else changes
    connection.execute(PEOPLE.update().where(PEOPLE.c.person_id == person_id).values(values))
    told = {name: value for name, value in changes.items() if name != "password_hash"}
    events.record(connection, at, actor, "person.changed", person_id, **told, password="password_hash" in changes)


def all_people(connection: sa.Connection) -> list[Person]:
    """Return everybody, by name."""
    return [person_of(row) for row in connection.execute(sa.select(PEOPLE).order_by(PEOPLE.c.name)).mappings()]


def clean_email(text: str) -> str:
    """Return the address in lower case.

    Raises:
        UserError: it is no address.
    """
    address = text.strip().lower()
    name, _, host = address.partition("@")
    is_host = "." in host.strip(".") or host == "localhost"
    if not name or not is_host or len(address) > 254 or any(c.isspace() or not c.isprintable() for c in address):
        raise UserError(f"{text!r} is no e-mail address")
    return address


def clean_name(name: str) -> str:
    """Return a name without what cannot be seen (direction marks, control characters), at most 100 characters long."""
    return "".join(character for character in name if character.isprintable()).strip()[:100]


def clean_tags(tags: list[str]) -> list[str]:
    """Return tags in lower case, without doubles, in order of the alphabet."""
    return sorted({tag.strip().lower()[:64] for tag in tags if tag.strip()})


def check_role(role: str) -> None:
    """Refuse an unknown role."""
    if role not in ROLES:
        raise UserError(f"unknown role '{role}'; there are {', '.join(ROLES)}")
