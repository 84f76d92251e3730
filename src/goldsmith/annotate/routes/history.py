"""A person's own votes, and their own account."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from goldsmith.annotate.pages import page
from goldsmith.annotate.people.passwords import hash_password, is_acceptable, is_right
from goldsmith.annotate.people.sessions import close_all
from goldsmith.annotate.routes.work import current_standing
from goldsmith.annotate.services import services
from goldsmith.annotate.task import iso
from goldsmith.annotate.visitor import check_form, signed_in
from goldsmith.gold.cast import undo_until
from goldsmith.gold.people import change_person, find_person
from goldsmith.gold.room import Room
from goldsmith.gold.schema import CHECK_ITEMS, LEASES, QUEUE, VOTES
from goldsmith.retrieve.text import plain_text

router = APIRouter(tags=["own account"])
ON_ONE_PAGE = 50
LONGEST_EXCERPT = 160
LARGEST_INT = 2**53


@router.get("/history")
def history(request: Request, before: Annotated[float | None, Query(ge=0, le=LARGEST_INT)] = None) -> Response:
    """The person's votes, the newest first."""
    session = signed_in(request)
    room = services(request).room
    own = sa.select(VOTES).where(VOTES.c.annotator == session.person.person_id, ~_asked_again())
    query = own.order_by(VOTES.c.at.desc()).limit(ON_ONE_PAGE)
    with room.database.read() as connection:
        rows = connection.execute(query.where(VOTES.c.at < before) if before is not None else query).mappings().all()
        texts = _texts(connection, [row["pair_id"] for row in rows])
    shown = [_vote(room, row, *texts.get(row["pair_id"], ("", ""))) for row in rows]
    older = f"/history?before={rows[-1]['at']}" if len(rows) == ON_ONE_PAGE else None
    return page(request, "history.html", votes=shown, older=older)


@router.get("/me")
def me(request: Request, saved: Annotated[bool, Query()] = False) -> Response:
    """The person's own account."""
    return _me(request, saved=saved)


@router.post("/me/password")
def change_password(
    request: Request, old: Annotated[str, Form()] = "", new: Annotated[str, Form()] = "", csrf: Annotated[str, Form()] = ""
) -> Response:
    """Change the password; other sessions of the person end."""
    session = signed_in(request)
    check_form(request, csrf)
    room, person_id = services(request).room, session.person.person_id
    with room.database.read() as connection:
        row = find_person(connection, person_id=person_id)
    stored = row["password_hash"] if row else None
    if stored is not None and not is_right(old, stored):
        return _me(request, error="wrong", status=422)
    if not is_acceptable(new):
        return _me(request, error="short", status=422)
    password_hash = hash_password(new)
    with room.database.write() as connection:
        change_person(connection, room.clock(), person_id, person_id, password_hash=password_hash)
        close_all(connection, person_id, but=session.token)
    return RedirectResponse("/me?saved=1", status_code=303)


def _me(request: Request, *, error: str | None = None, saved: bool = False, status: int = 200) -> Response:
    person = signed_in(request).person
    room = services(request).room
    with room.database.read() as connection:
        row = find_person(connection, person_id=person.person_id)
    return page(
        request,
        "me.html",
        status,
        tags=list(person.tags),
        daily_limit=person.daily_limit or room.rules.daily_limit,
        standing=current_standing(request, person),
        error=error,
        saved=saved,
        has_password=row is not None and row["password_hash"] is not None,
    )


def _vote(room: Room, row: Mapping[Any, Any], excerpt: str, task: str) -> dict[str, Any]:
    vote = json.loads(row["record"])
    until = undo_until(room, row["round"], row["at"])
    state = "withdrawn" if row["withdrawn_at"] is not None else "late" if row["round"] == "late" else "counted"
    return {
        **{name: vote[name] for name in ("vote_id", "pair_id", "choice", "strength", "confidence", "rationale", "seconds")},
        # Which reply it was on this person's screen: sides have other numbers for other people.
        "place": vote["shown_order"].index(vote["choice"]) + 1 if vote["choice"] in vote["shown_order"] else None,
        "at": iso(row["at"]),
        "task": task,
        "excerpt": excerpt,
        "state": state,
        "can_undo": state == "counted" and until is not None and room.clock() <= until,
    }


def _asked_again() -> sa.Exists:
    """Whether a vote's pair is to be judged once more by the same person, who must not read up what they said the first time."""
    again = (LEASES.c.person_id == VOTES.c.annotator, LEASES.c.pair_id == VOTES.c.pair_id, LEASES.c.round == "retest")
    return sa.exists().where(*again, LEASES.c.state.in_(["active", "skipped", "expired"]))


def _texts(connection: sa.Connection, pair_ids: list[str]) -> dict[str, tuple[str, str]]:
    """The beginning of the last user turn, and the task, of each pair."""
    found = {}
    for table in (CHECK_ITEMS, QUEUE):
        for pair_id, record, attributes in connection.execute(
            sa.select(table.c.pair_id, table.c.record, table.c.attributes).where(table.c.pair_id.in_(pair_ids))
        ):
            asked = [plain_text(turn["content"]) for turn in json.loads(record)["context"] if turn["role"] == "user"]
            task = str(json.loads(attributes).get("task", "")) if attributes else ""
            found[pair_id] = (" ".join(asked[-1].split())[:LONGEST_EXCERPT] if asked else "", task)
    return found
