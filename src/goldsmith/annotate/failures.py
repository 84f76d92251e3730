"""Every failure becomes one answer: a page for people, `{"error": {"code", "message"}}` for scripts; nothing of a traceback leaves the server."""

from __future__ import annotations

import logging
from typing import Any

import sqlalchemy as sa
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

from goldsmith.annotate.pages import bare_page
from goldsmith.annotate.security import TooLarge
from goldsmith.annotate.visitor import Denied
from goldsmith.errors import StoreError, UserError
from goldsmith.gold.leases import Conflict, Gone, NotYours

LOG = logging.getLogger("goldsmith.annotate")
STATUS = {
    "invalid": 422, "signed-out": 401, "csrf": 403, "forbidden": 403, "not-found": 404, "conflict": 409, "gone": 410, "too-many": 429,
    "too-large": 413, "unavailable": 503, "bug": 500,
}  # fmt: skip
BY_STATUS = {400: "invalid", 404: "not-found", 405: "invalid", 413: "too-large"}
RETRY_SECONDS = 5


def add_handlers(app: FastAPI) -> None:
    """Teach an application how each failure is answered."""
    plain: list[tuple[Any, str]] = [(NotYours, "not-found"), (Conflict, "conflict"), (Gone, "gone"), (UserError, "invalid")]
    for kind, code in plain:
        app.add_exception_handler(kind, _by_code(code))
    app.add_exception_handler(Denied, _denied)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(TooLarge, _by_code("too-large", "the request is too large"))
    for kind in (StoreError, sa.exc.TimeoutError, sa.exc.DBAPIError):
        app.add_exception_handler(kind, _unavailable)
    app.add_exception_handler(Exception, _bug)


def answer(request: Request, code: str, message: str, status: int | None = None) -> Response:
    """Return a failure as a page, or as JSON under /api."""
    status = status or STATUS[code]
    headers = {"Retry-After": str(RETRY_SECONDS)} if status == 503 else None
    if request.url.path.startswith("/api/"):
        return JSONResponse({"error": {"code": code, "message": message}}, status_code=status, headers=headers)
    if status == 503:
        page = bare_page(request, "unavailable.html", 503, retry_seconds=RETRY_SECONDS)
        page.headers.update(headers or {})
        return page
    return bare_page(request, "error.html", status, status=status, message=message, code=code)


def _by_code(code: str, told: str = "") -> Any:
    def handler(request: Request, error: Exception) -> Response:
        return answer(request, code, told or str(error))

    return handler


def _denied(request: Request, error: Exception) -> Response:
    assert isinstance(error, Denied)
    if error.code == "signed-out" and not request.url.path.startswith("/api/") and request.method == "GET":
        return RedirectResponse(f"/sign-in?next={request.url.path}", status_code=303)
    return answer(request, error.code, error.message)


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    return answer(request, "invalid", f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}")


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return answer(request, BY_STATUS.get(error.status_code, "invalid"), str(error.detail), error.status_code)


def _unavailable(request: Request, error: Exception) -> Response:
    LOG.error("%s %s: %s", request.method, request.url.path, error)
    return answer(request, "unavailable", "the database does not answer; nothing is lost, and it is tried again")


def _bug(request: Request, error: Exception) -> Response:
    LOG.error("%s %s", request.method, request.url.path, exc_info=error)
    return answer(request, "bug", "a bug in Goldsmith; the log of the server names it")
