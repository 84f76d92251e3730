"""People: who there is, invitations, roles."""

from __future__ import annotations

from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Form, Path, Request
from fastapi.responses import RedirectResponse, Response

from goldsmith.annotate.pages import page
from goldsmith.annotate.people.invitations import invite, may_give
from goldsmith.annotate.people.sessions import Session, close_all
from goldsmith.annotate.services import services
from goldsmith.annotate.task import iso
from goldsmith.annotate.visitor import Denied, check_form, signed_in
from goldsmith.errors import UserError
from goldsmith.gold.leases import NotYours, end_what_is_not_allowed
from goldsmith.gold.people import Person, all_people, change_person, clean_email, find_person, person_of
from goldsmith.gold.schema import INVITATIONS, SESSIONS

router = APIRouter(tags=["people"])
PersonId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]


@router.get("/lead/people")
def people_page(request: Request) -> Response:
    """Everybody, and who is invited."""
    return _people(request, signed_in(request, "lead"))


@router.post("/lead/people/invite")
def invite_person(
    request: Request,
    email: Annotated[str, Form()] = "",
    role: Annotated[str, Form()] = "",
    tags: Annotated[str, Form(max_length=1000)] = "",
    csrf: Annotated[str, Form()] = "",
) -> Response:
    """Invite an address; its link is shown once."""
    session = signed_in(request, "lead")
    check_form(request, csrf)
    if role not in may_give(session.person.role):
        return _people(request, session, error="role", status=422)
    try:
        address = clean_email(email)
    except UserError:
        return _people(request, session, error="email", status=422)
    try:
        token = invite(services(request).room, session.person.person_id, address, role, tags.split(","))
    except UserError:
        return _people(request, session, error="exists", status=422)
    base = services(request).public_url or str(request.base_url).rstrip("/")
    return _people(request, session, invited={"email": address, "url": f"{base}/invitation/{token}"})


@router.post("/lead/people/{person_id}")
def change(
    request: Request,
    person_id: PersonId,
    role: Annotated[str, Form()] = "",
    tags: Annotated[str, Form(max_length=1000)] = "",
    daily_limit: Annotated[str, Form()] = "",
    hourly_cost: Annotated[str, Form()] = "",
    state: Annotated[str, Form()] = "active",
    csrf: Annotated[str, Form()] = "",
) -> Response:
    """Change somebody's role, tags, limit, cost, or whether they may sign in."""
    session = signed_in(request, "lead")
    check_form(request, csrf)
    room = services(request).room
    limit, cost = _number(daily_limit, "daily_limit", 1, 100_000), _number(hourly_cost, "hourly_cost", 0, 100_000)
    if state not in ("active", "disabled"):
        raise UserError("state: one of active, disabled is expected")
    with room.database.write() as connection:
        row = find_person(connection, person_id=person_id)
        if row is None:
            raise NotYours("there is no such person")
        _check_allowed(session, person_of(row), role, state)
        changes = {
            "role": role,
            "tags": tags.split(","),
            "daily_limit": int(limit) if limit is not None else None,
            "hourly_cost": cost,
            "state": state,
        }
        change_person(connection, room.clock(), session.person.person_id, person_id, **changes)
        end_what_is_not_allowed(room, connection, person_of({**row, "role": role}))
        if state == "disabled" or role != row["role"]:
            close_all(connection, person_id)
    return RedirectResponse("/lead/people", status_code=303)


def _check_allowed(session: Session, person: Person, role: str, state: str) -> None:
    """Leads change annotators and experts only, and nobody takes away their own access."""
    allowed = may_give(session.person.role)
    if role not in allowed or person.role not in allowed:
        raise Denied("forbidden", "your role does not allow this")
    if person.person_id == session.person.person_id and (role != person.role or state != "active"):
        raise Denied("forbidden", "ask another administrator to change your own role")


def _number(text: str, name: str, low: float, high: float) -> float | None:
    if not text.strip():
        return None
    try:
        value = float(text)
    except ValueError:
        raise UserError(f"{name} = {text[:40]!r}; a number is expected") from None
    if not low <= value <= high:
        raise UserError(f"{name} = {text[:40]}; from {low} to {high} is expected")
    return value


def _people(
    request: Request, session: Session, *, invited: dict[str, str] | None = None, error: str | None = None, status: int = 200
) -> Response:
    room = services(request).room
    with room.database.read() as connection:
        people = all_people(connection)
        seen: dict[str, float] = {
            row[0]: row[1]
            for row in connection.execute(
                sa.select(SESSIONS.c.person_id, sa.func.max(SESSIONS.c.seen_at)).group_by(SESSIONS.c.person_id)
            )
        }
        waiting = (
            connection.execute(
                sa.select(INVITATIONS).where(INVITATIONS.c.expires_at > room.clock()).order_by(INVITATIONS.c.email)
            )
            .mappings()
            .all()
        )
    names = {person.person_id: person.name for person in people}
    open_ones = [
        {
            "email": row["email"],
            "role": row["role"],
            "expires_at": iso(row["expires_at"]),
            "invited_by": names.get(row["invited_by"], row["invited_by"]),
        }
        for row in waiting
    ]
    is_tested = room.rules.qualification_items > 0
    shown = [_person(person, seen.get(person.person_id), is_tested) for person in people]
    return page(
        request,
        "people.html",
        status,
        people=shown,
        invitations=open_ones,
        roles=may_give(session.person.role),
        invited=invited,
        error=error,
    )


def _person(person: Person, seen_at: float | None, is_tested: bool) -> dict[str, Any]:
    names = ("person_id", "name", "email", "role", "daily_limit", "hourly_cost", "state")
    more = {
        "tags": list(person.tags),
        "qualified": person.qualified is True or not is_tested,
        "last_seen": iso(seen_at) if seen_at is not None else None,
    }
    return {**{name: getattr(person, name) for name in names}, **more}
