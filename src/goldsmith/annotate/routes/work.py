"""The screen's pages, and the calls that hand out pairs and keep what has not become a vote yet."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from goldsmith.annotate.pages import as_json, page
from goldsmith.annotate.people.sessions import Session
from goldsmith.annotate.services import services
from goldsmith.annotate.task import has_hints, hints_json, iso, raw_json, standing_json, task_json
from goldsmith.annotate.tools.catalogue import tools_on
from goldsmith.annotate.visitor import check_call, signed_in
from goldsmith.gold.assign import Nothing, next_lease, standing_of
from goldsmith.gold.cast import DISCARD_REASONS, LONGEST_RATIONALE
from goldsmith.gold.leases import Lease, Material, held_lease, material_of, record_first_choice, save_draft, skip
from goldsmith.gold.people import NEEDED, Person
from goldsmith.types import VoteChoice

router = APIRouter(tags=["work"])
DRAFT_SECONDS, RETRY_SECONDS = 5, 5
LeaseId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]


class Body(BaseModel):
    """A body of the API: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NextBody(Body):
    """Which queue the person works on."""

    queue: Literal["work", "expert"] = "work"


class DraftBody(Body):
    """What is on the screen and not sent yet."""

    choice: VoteChoice | None = None
    strength: int = Field(default=0, ge=0, le=2)
    confidence: int = Field(default=2, ge=1, le=3)
    rationale: str = Field(default="", max_length=LONGEST_RATIONALE)
    reason: str | None = Field(default=None, max_length=100)
    seconds: float = Field(default=0.0, ge=0, le=86_400)


class ChoiceBody(Body):
    """The first choice, before any hint."""

    choice: VoteChoice
    strength: int = Field(default=0, ge=0, le=2)


class SkipBody(Body):
    """Why a pair is put aside."""

    reason: str = Field(default="", max_length=1000)


@router.get("/work")
def work_page(request: Request) -> Response:
    """The annotation screen."""
    return _screen(request, signed_in(request, "vote"), "work")


@router.get("/expert")
def expert_page(request: Request) -> Response:
    """The same screen for disputes."""
    return _screen(request, signed_in(request, "expert"), "expert")


@router.post("/api/next")
def next_task(request: Request, body: NextBody) -> Response:
    """The pair to judge next; the same one as long as it is held."""
    session = signed_in(request, NEEDED[body.queue])
    check_call(request, session)
    room, person = services(request).room, session.person
    found = next_lease(room, person, body.queue)
    if isinstance(found, Nothing):
        return as_json({"task": None, "why": found.why, "standing": current_standing(request, person)})
    return as_json({"task": task_json(room, person, found, services(request).texts)})


@router.get("/api/leases/{lease_id}")
def show_lease(request: Request, lease_id: LeaseId) -> Response:
    """A pair that this person holds."""
    session = signed_in(request)
    lease, _ = _held(request, session, lease_id)
    return as_json({"task": task_json(services(request).room, session.person, lease, services(request).texts)})


@router.put("/api/leases/{lease_id}/draft")
def keep_draft(request: Request, lease_id: LeaseId, body: DraftBody) -> Response:
    """Keep a draft; the lease begins anew."""
    session = signed_in(request)
    check_call(request, session)
    room = services(request).room
    expires_at = save_draft(room, session.person.person_id, lease_id, body.model_dump())
    return as_json({"saved_at": iso(room.clock()), "expires_at": iso(expires_at)})


@router.post("/api/leases/{lease_id}/choice")
def first_choice(request: Request, lease_id: LeaseId, body: ChoiceBody) -> Response:
    """Record the first choice; from now on hints may be seen."""
    session = signed_in(request)
    check_call(request, session)
    room = services(request).room
    _, material = _held(request, session, lease_id)
    choice = {
        **body.model_dump(),
        "strength": body.strength if body.choice in ("first", "second") else 0,
        "hinted": has_hints(room, material),
    }
    lease = record_first_choice(room, session.person.person_id, lease_id, choice)
    return as_json({"hints": hints_json(room, lease, material)})


@router.post("/api/leases/{lease_id}/skip")
def skip_pair(request: Request, lease_id: LeaseId, body: SkipBody) -> Response:
    """Put a pair aside."""
    session = signed_in(request)
    check_call(request, session)
    skip(services(request).room, session.person.person_id, lease_id, body.reason)
    return as_json({})


@router.get("/api/leases/{lease_id}/raw")
def raw_texts(request: Request, lease_id: LeaseId) -> Response:
    """The texts as they are."""
    lease, material = _held(request, signed_in(request), lease_id)
    return as_json(raw_json(lease, material))


@router.get("/api/leases/{lease_id}/difference")
def difference(request: Request, lease_id: LeaseId) -> Response:
    """Both replies with their differences marked."""
    lease, material = _held(request, signed_in(request), lease_id)
    texts = raw_json(lease, material)["replies"]
    marked = services(request).difference(texts[0]["text"], texts[1]["text"])
    return as_json({"replies": [{"side": reply["side"], "html": html} for reply, html in zip(texts, marked, strict=True)]})


@router.get("/api/standing")
def standing(request: Request) -> Response:
    """How much the person has done."""
    return as_json({"standing": current_standing(request, signed_in(request).person)})


@router.get("/api/health")
def health(request: Request) -> Response:
    """Whether the room and its database answer."""
    with services(request).room.database.read() as connection:
        connection.exec_driver_sql("SELECT 1")
    return as_json({"status": "ok"})


def current_standing(request: Request, person: Person) -> dict[str, Any]:
    """Return STANDING of design/annotation.md."""
    room = services(request).room
    with room.database.read() as connection:
        return standing_json(standing_of(room, connection, person))


def _screen(request: Request, session: Session, mode: str) -> Response:
    room = services(request).room
    settings = {
        "votes_per_pair": room.gold.votes_per_pair,
        "draft_seconds": DRAFT_SECONDS,
        "undo_seconds": int(60 * room.rules.undo_minutes),
        "hints": room.rules.show_hints,
        "rationale_required": mode == "expert",
        "retry_seconds": RETRY_SECONDS,
        "discard_reasons": list(DISCARD_REASONS),
        "tools": tools_on(room.rules.tools),
    }
    return page(request, "work.html", mode=mode, settings=settings, standing=current_standing(request, session.person))


def _held(request: Request, session: Session, lease_id: str) -> tuple[Lease, Material]:
    """A person's own lease that is not over, and its texts: nobody reads a pair that was not handed to them."""
    room = services(request).room
    with room.database.read() as connection:
        lease = held_lease(room, connection, session.person.person_id, lease_id)
        return lease, material_of(connection, lease)
