"""What requests are answered with: pages (a template by name, plain data, and what every template gets), and JSON."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import Request
from fastapi.responses import HTMLResponse, Response

from goldsmith.annotate.people.sessions import Session
from goldsmith.annotate.services import services
from goldsmith.annotate.visitor import FORM_COOKIE, form_value, language_of, session_of, set_cookie
from goldsmith.version import code_version

FORM_SECONDS = 12 * 3600


def page(request: Request, template: str, status: int = 200, **data: Any) -> HTMLResponse:
    """Return a page; forms on it carry the value that `check_form` expects."""
    csrf, session = form_value(request), session_of(request)
    shell = {
        "lang": language_of(request),
        "path": request.url.path,
        "csrf": csrf,
        "version": code_version(),
        "person": _shown(session) if session is not None else None,
    }
    html = services(request).environment.get_template(template).render(page=shell, **data)
    response = HTMLResponse(html, status_code=status)
    if session is None and request.cookies.get(FORM_COOKIE) != csrf:
        set_cookie(request, response, FORM_COOKIE, csrf, seconds=FORM_SECONDS)
    return response


def bare_page(request: Request, template: str, status_code: int, /, **data: Any) -> HTMLResponse:
    """Return a page that needs no database: for when it is down, or the request was refused before anybody was looked up."""
    shell = {"lang": "zh" if request.headers.get("accept-language", "").lower().startswith("zh") else "en"}
    shell |= {"path": request.url.path, "csrf": None, "version": code_version(), "person": None}  # type: ignore[dict-item]
    html = services(request).environment.get_template(template).render(page=shell, **data)
    return HTMLResponse(html, status_code=status_code)


def as_json(value: Any) -> Response:
    """Return a value as JSON; orjson, since tasks hold long texts."""
    return Response(orjson.dumps(value), media_type="application/json")


def _shown(session: Session) -> dict[str, Any]:
    person = session.person
    return {
        "person_id": person.person_id,
        "name": person.name,
        "email": person.email,
        "role": person.role,
        "can": list(person.can),
    }
