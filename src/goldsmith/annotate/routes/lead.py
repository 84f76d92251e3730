"""The lead's pages: progress, batches and their gate, one pair's whole life, the audit log."""

from __future__ import annotations

import json
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Form, Path, Query, Request
from fastapi.responses import RedirectResponse, Response

from goldsmith.annotate.failures import answer
from goldsmith.annotate.pages import as_json, page
from goldsmith.annotate.people.sessions import Session
from goldsmith.annotate.services import services
from goldsmith.annotate.summary import EXPORTS
from goldsmith.annotate.task import ATTRIBUTES, iso
from goldsmith.annotate.visitor import check_form, signed_in
from goldsmith.gold.annotators import annotators
from goldsmith.gold.batches import batch_detail
from goldsmith.gold.events import events_of
from goldsmith.gold.people import all_people
from goldsmith.gold.retests import draw_more
from goldsmith.gold.schema import EVENTS, PAIR_STATES, QUEUE, VOTES
from goldsmith.gold.tool_uses import uses_of_votes
from goldsmith.retrieve.text import plain_text

router = APIRouter(tags=["lead"])
ON_ONE_PAGE = 100
Batch = Annotated[str, Path(pattern=r"^[\w.:+-]{1,64}$")]
PairId = Annotated[str, Path(pattern=r"^[\w.:+-]{1,32}$")]
BESIDE = ("competence_ds", "competence_mace", "flags")
"""What the page of a batch tells of people besides their part in it."""
SHOWN = (
    "vote_id",
    "choice",
    "strength",
    "confidence",
    "rationale",
    "reason",
    "seconds",
    "at",
    "shown_order",
    "changed_after_hint",
)


@router.get("/lead")
def lead(request: Request) -> Response:
    """Progress, agreement, people and coverage."""
    session = signed_in(request, "lead")
    return page(request, "lead.html", **services(request).summary.get(), exports=_exports(session))


@router.get("/api/lead/summary")
def summary(request: Request) -> Response:
    """The data of the lead's page."""
    session = signed_in(request, "lead")
    return as_json({**services(request).summary.get(), "exports": _exports(session)})


@router.get("/lead/batches/{batch}")
def batch_page(request: Request, batch: Batch) -> Response:
    """What the gate says of a batch, and where to look."""
    signed_in(request, "lead")
    room = services(request).room
    with room.database.read() as connection:
        found = batch_detail(room, connection, batch)
        if found is None:
            return answer(request, "not-found", f"there is no batch '{batch}'")
        figures = {row["person_id"]: row for row in annotators(room, connection)}
    for row in found["look_at_people"]:
        # Votes that came from a file are of people who may have no account, and no figures.
        row |= {name: figures.get(row["person_id"], {}).get(name) for name in BESIDE}
        row["flags"] = row["flags"] or []
    for row in found["look_at_pairs"]:
        row["url"] = f"/lead/pairs/{row['pair_id']}"
    found["gate"]["url"] = f"/lead/batches/{batch}"
    return page(request, "batch.html", **found)


@router.post("/lead/batches/{batch}/retests")
def more_retests(
    request: Request, batch: Batch, count: Annotated[int, Form(ge=1, le=100_000)] = 10, csrf: Annotated[str, Form()] = ""
) -> Response:
    """Draw more retests in a batch."""
    session = signed_in(request, "lead")
    check_form(request, csrf)
    draw_more(services(request).room, batch, count, session.person.person_id)
    return RedirectResponse(f"/lead/batches/{batch}", status_code=303)


@router.get("/lead/pairs/{pair_id}")
def pair_page(request: Request, pair_id: PairId) -> Response:
    """One pair's whole life."""
    signed_in(request, "lead")
    room = services(request).room
    with room.database.read() as connection:
        both = (
            sa.select(QUEUE, PAIR_STATES)
            .join(PAIR_STATES, PAIR_STATES.c.pair_id == QUEUE.c.pair_id)
            .where(QUEUE.c.pair_id == pair_id)
        )
        row = connection.execute(both).mappings().first()
        if row is None:
            return answer(request, "not-found", f"the queue has no pair '{pair_id}'")
        names = {person.person_id: person.name for person in all_people(connection)}
        votes = connection.execute(sa.select(VOTES).where(VOTES.c.pair_id == pair_id).order_by(VOTES.c.at)).mappings().all()
        uses = uses_of_votes(connection, [vote["vote_id"] for vote in votes])
        log = events_of(connection, subject=pair_id)
    return page(
        request,
        "pair.html",
        pair=_pair(request, row),
        **{name: row[name] for name in ("batch", "state", "label", "how")},
        votes=[{**_vote(vote, names), "uses": uses.get(vote["vote_id"], [])} for vote in votes],
        hints=json.loads(row["checks"]) if row["checks"] else None,
        events=[{**_event(event, names)} for event in log],
    )


@router.get("/lead/events")
def events_page(
    request: Request,
    kind: Annotated[str, Query(pattern=r"^[a-z._]{0,40}$")] = "",
    before: Annotated[int | None, Query(ge=0, le=2**53)] = None,
) -> Response:
    """The audit log."""
    signed_in(request, "admin")
    with services(request).room.database.read() as connection:
        log = events_of(connection, kind=kind, before=before, limit=ON_ONE_PAGE)
        kinds = list(connection.execute(sa.select(EVENTS.c.kind).distinct().order_by(EVENTS.c.kind)).scalars())
        names = {person.person_id: person.name for person in all_people(connection)}
    older = f"/lead/events?kind={kind}&before={log[-1]['event_id']}" if len(log) == ON_ONE_PAGE else None
    return page(request, "events.html", events=[_event(event, names) for event in log], older=older, kinds=kinds, kind=kind)


def _exports(session: Session) -> list[dict[str, str]]:
    names = [name for name in EXPORTS if name != "events" or "admin" in session.person.can]
    return [{"name": name, "url": f"/lead/export/{name}.csv"} for name in names]


def _pair(request: Request, row: Any) -> dict[str, Any]:
    texts, record = services(request).texts, json.loads(row["record"])
    attributes = json.loads(row["attributes"]) if row["attributes"] else None
    return {
        "pair_id": row["pair_id"],
        "context": [{"role": turn["role"], "html": texts.html(plain_text(turn["content"]))} for turn in record["context"]],
        "replies": [{"side": side, "html": texts.html(plain_text(record[side]))} for side in ("first", "second")],
        "attributes": {name: attributes.get(name) for name in ATTRIBUTES} if attributes else None,
    }


def _vote(row: Any, names: dict[str, str]) -> dict[str, Any]:
    vote = json.loads(row["record"])
    who = {
        "name": names.get(row["annotator"], row["annotator"]),
        "round": row["round"],
        "withdrawn": row["withdrawn_at"] is not None,
    }
    return {**{name: vote[name] for name in SHOWN}, **who}


def _event(event: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    return {**event, "at": iso(event["at"]), "actor": names.get(event["actor"], event["actor"])}
