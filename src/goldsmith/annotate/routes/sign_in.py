"""Coming in and going out: passwords, invitations, the language."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from goldsmith.annotate.failures import answer
from goldsmith.annotate.pages import page
from goldsmith.annotate.people.invitations import accept, find_invitation
from goldsmith.annotate.people.limits import count_failure, one_at_a_time, seconds_to_wait
from goldsmith.annotate.people.passwords import SHORTEST, is_acceptable, is_right
from goldsmith.annotate.people.sessions import close_session, open_session
from goldsmith.annotate.services import services
from goldsmith.annotate.visitor import (
    LANGUAGE_COOKIE,
    LANGUAGES,
    SESSION_COOKIE,
    Denied,
    address_of,
    check_form,
    safe_path,
    session_of,
    set_cookie,
    signed_in,
)
from goldsmith.errors import UserError
from goldsmith.gold import events
from goldsmith.gold.people import CAN, change_person, find_person

router = APIRouter(include_in_schema=True, tags=["sign-in"])
LANGUAGE_SECONDS = 365 * 86_400


@router.get("/")
def home(request: Request) -> Response:
    """Go where the person's work is."""
    session = session_of(request)
    where = "/sign-in" if session is None else {"annotator": "/work", "expert": "/expert"}.get(session.person.role, "/lead")
    return RedirectResponse(where, status_code=303)


@router.get("/sign-in")
def sign_in_page(request: Request, next: str = "/", error: str = "") -> Response:
    """The form."""
    known = error if error in ("oidc-refused", "no-account") else None
    return _form(request, next_path=next, error=known)


@router.post("/sign-in")
def sign_in(
    request: Request,
    email: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",
    csrf: Annotated[str, Form()] = "",
) -> Response:
    """Open a session, or say that address and password do not fit; too many tries have to wait."""
    try:
        check_form(request, csrf)
    except Denied:
        return _form(request, email=email, next_path=next, error="form-expired", status=403)
    with one_at_a_time(address_of(request), email):
        return _tried(request, email, password, next)


def _tried(request: Request, email: str, password: str, next: str) -> Response:
    room, address = services(request).room, address_of(request)
    wait = seconds_to_wait(room, address, email)
    if wait:
        return _form(request, email=email, next_path=next, error="too-many", wait_seconds=wait, status=429)
    row = _account(request, email)
    if not is_right(password, row["password_hash"] if row else None) or row is None:
        count_failure(room, address, email)
        with room.database.write() as connection:
            events.record(
                connection,
                room.clock(),
                events.SYSTEM,
                "session.refused",
                row["person_id"] if row else "unknown",
                address=address,
            )
        return _form(request, email=email, next_path=next, error="wrong", status=401)
    if row["state"] != "active":
        return _form(request, email=email, next_path=next, error="disabled", status=401)
    return welcome(request, row["person_id"], safe_path(next), "password")


@router.post("/sign-out")
def sign_out(request: Request, csrf: Annotated[str, Form()] = "") -> Response:
    """End the session."""
    session = signed_in(request)
    check_form(request, csrf)
    close_session(services(request).room, session)
    response = RedirectResponse("/sign-in", status_code=303)
    response.delete_cookie(SESSION_COOKIE, path="/")
    return response


@router.get("/invitation/{token}")
def invitation_page(request: Request, token: str) -> Response:
    """The form that makes an account."""
    return _invitation(request, token)


@router.post("/invitation/{token}")
def accept_invitation(
    request: Request,
    token: str,
    name: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    csrf: Annotated[str, Form()] = "",
) -> Response:
    """Make the account and sign in."""
    try:
        check_form(request, csrf)
    except Denied:
        return _invitation(request, token, error="form-expired", status=403)
    if not is_acceptable(password):
        return _invitation(request, token, error="short", status=422)
    person = accept(services(request).room, token, name, password) if find_invitation(services(request).room, token) else None
    if person is None:
        return _no_invitation(request)
    return welcome(request, person.person_id, "/", "invitation")


@router.post("/language")
def choose_language(
    request: Request, lang: Annotated[str, Form()] = "", next: Annotated[str, Form()] = "/", csrf: Annotated[str, Form()] = ""
) -> Response:
    """Keep the language, in the account of who is signed in and in a cookie."""
    check_form(request, csrf)
    if lang not in LANGUAGES:
        raise UserError(f"lang: one of {', '.join(LANGUAGES)} is expected")
    session, room = session_of(request), services(request).room
    if session is not None:
        with room.database.write() as connection:
            change_person(connection, room.clock(), session.person.person_id, session.person.person_id, language=lang)
    response = RedirectResponse(safe_path(next), status_code=303)
    set_cookie(request, response, LANGUAGE_COOKIE, lang, seconds=LANGUAGE_SECONDS)
    return response


def welcome(request: Request, person_id: str, next_path: str, how: str) -> Response:
    """Open a session and go on; a session that was there before is another one from now on."""
    old = session_of(request)
    if old is not None:
        close_session(services(request).room, old)
    token = open_session(services(request).room, person_id, how)
    response = RedirectResponse(next_path, status_code=303)
    # Lax: who comes by a link, from mail or from the provider of single sign-on, is signed in. Writing needs the CSRF value besides.
    set_cookie(request, response, SESSION_COOKIE, token, lax=True)
    return response


def _account(request: Request, email: str) -> Any:
    with services(request).room.database.read() as connection:
        try:
            return find_person(connection, email=email)
        except UserError:
            return None


def _form(
    request: Request, *, email: str = "", next_path: str = "/", error: str | None = None, wait_seconds: int = 0, status: int = 200
) -> Response:
    provider = services(request).provider
    return page(
        request,
        "sign_in.html",
        status,
        email=email[:254],
        error=error,
        wait_seconds=wait_seconds,
        oidc=provider.name if provider else None,
        next=safe_path(next_path),
    )


def _invitation(request: Request, token: str, error: str | None = None, status: int = 200) -> Response:
    row, provider = find_invitation(services(request).room, token), services(request).provider
    if row is None:
        return _no_invitation(request)
    shown = {"email": row["email"], "role": row["role"], "token": token, "can": list(CAN[row["role"]])}
    return page(
        request, "invitation.html", status, **shown, error=error, shortest=SHORTEST, oidc=provider.name if provider else None
    )


def _no_invitation(request: Request) -> Response:
    return answer(request, "not-found", "this invitation was used or has run out; ask for a new one")
