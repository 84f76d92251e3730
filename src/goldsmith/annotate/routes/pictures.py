"""The pictures of the lead's page, as images: no page needs a style or a script of theirs."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from goldsmith.annotate import pictures
from goldsmith.annotate.failures import answer
from goldsmith.annotate.services import services
from goldsmith.annotate.visitor import language_of, signed_in

router = APIRouter(tags=["lead"])


@router.get("/lead/pictures/{name}.svg")
def picture(
    request: Request, name: Annotated[str, Path(pattern=r"^[a-z]{1,40}$")], form: Literal["wide", "narrow"] = "wide"
) -> Response:
    """One picture of the figures that `/lead` shows."""
    signed_in(request, "lead")
    if name not in pictures.NAMES:
        return answer(request, "not-found", f"there is no picture '{name}'")
    drawn = pictures.draw(name, services(request).summary.get(), lang=language_of(request), is_narrow=form == "narrow")
    return Response(drawn, media_type="image/svg+xml")
