"""Votes: casting them, and taking them back."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from goldsmith.annotate.pages import as_json
from goldsmith.annotate.routes.work import current_standing
from goldsmith.annotate.services import services
from goldsmith.annotate.task import iso, task_json
from goldsmith.annotate.visitor import check_call, signed_in
from goldsmith.gold.cast import Ballot, cast_vote, undo_vote

router = APIRouter(tags=["votes"])


@router.post("/api/votes")
def vote(request: Request, ballot: Ballot) -> Response:
    """Store a vote; the same vote again is answered in the same way and counts once."""
    session = signed_in(request)
    check_call(request, session)
    receipt = cast_vote(services(request).room, session.person, ballot)
    return as_json(
        {
            "vote_id": receipt.vote_id,
            "state": "late" if receipt.is_late else "counted",
            "duplicate": receipt.duplicate,
            "undo_until": iso(receipt.undo_until) if receipt.undo_until is not None else None,
            "feedback": receipt.feedback,
            "standing": current_standing(request, session.person),
        }
    )


@router.post("/api/votes/{vote_id}/undo")
def undo(request: Request, vote_id: Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{16,64}$")]) -> Response:
    """Take a vote back; its pair is on the screen again, with the vote as a draft."""
    session = signed_in(request)
    check_call(request, session)
    room = services(request).room
    lease = undo_vote(room, session.person, vote_id)
    return as_json({"task": task_json(room, session.person, lease, services(request).texts)})
