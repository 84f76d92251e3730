"""CSV files for the lead."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response, StreamingResponse

from goldsmith.annotate.services import services
from goldsmith.annotate.summary import EXPORTS
from goldsmith.annotate.visitor import signed_in
from goldsmith.gold.csv_export import csv_lines

router = APIRouter(tags=["lead"])
Name = Annotated[str, Path(pattern=f"^({'|'.join(EXPORTS)})$")]


@router.get("/lead/export/{name}.csv")
def export(request: Request, name: Name) -> Response:
    """One table as CSV."""
    signed_in(request, "admin" if name == "events" else "lead")
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return StreamingResponse(csv_lines(services(request).room, name), media_type="text/csv; charset=utf-8", headers=headers)
