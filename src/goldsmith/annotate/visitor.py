"""Who is asking, and whether they may: the session's cookie, the CSRF value, the role."""

from __future__ import annotations

import hmac
import secrets

from fastapi import Request
from fastapi.responses import Response

from goldsmith.annotate.people.sessions import Session, find_session
from goldsmith.annotate.services import services

SESSION_COOKIE = "goldsmith_session"
FORM_COOKIE = "goldsmith_form"
OIDC_COOKIE = "goldsmith_sign_in"
LANGUAGE_COOKIE = "goldsmith_language"
LANGUAGES = ("en", "zh")


class Denied(Exception):
    """A request that is refused; `code` is one of design/annotation.md."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def session_of(request: Request) -> Session | None:
    """Return the session of a request, looked up once."""
    if not hasattr(request.state, "session"):
        token = request.cookies.get(SESSION_COOKIE, "")
        request.state.session = find_session(services(request).room, token) if token else None
    found: Session | None = request.state.session
    return found


def signed_in(request: Request, ability: str = "") -> Session:
    """Return the session of a request.

    Args:
        request: the request.
        ability: what the person must be allowed: `vote`, `expert`, `lead` or `admin`; empty: nothing in particular.

    Raises:
        Denied: nobody is signed in, or the role does not allow it.
    """
    session = session_of(request)
    if session is None:
        raise Denied("signed-out", "sign in first")
    if ability and ability not in session.person.can:
        raise Denied("forbidden", "your role does not allow this")
    return session


def check_call(request: Request, session: Session) -> None:
    """Refuse a call of a script that does not carry the session's value."""
    _check(request.headers.get("x-csrf-token", ""), session.csrf)


def check_form(request: Request, value: str) -> None:
    """Refuse a form that does not carry the session's value, or, before anybody is signed in, that of the form's own cookie."""
    session = session_of(request)
    _check(value, session.csrf if session is not None else request.cookies.get(FORM_COOKIE, ""))


def form_value(request: Request) -> str:
    """Return what forms must carry: the session's value, or a new one that goes into a cookie."""
    session = session_of(request)
    if session is not None:
        return session.csrf
    return request.cookies.get(FORM_COOKIE) or secrets.token_urlsafe(32)


def language_of(request: Request) -> str:
    """Return the language of a request: of the person, the cookie, the browser, or English."""
    session = session_of(request)
    if session is not None and session.person.language in LANGUAGES:
        return session.person.language
    chosen = request.cookies.get(LANGUAGE_COOKIE, "")
    if chosen in LANGUAGES:
        return chosen
    wanted = request.headers.get("accept-language", "").lower()
    return "zh" if wanted.startswith("zh") else "en"


def set_cookie(
    request: Request, response: Response, name: str, value: str, *, lax: bool = False, seconds: int | None = None
) -> None:
    """Set a cookie that scripts cannot read and other sites cannot send (`lax`: they can, with a link alone)."""
    secure = services(request).room.rules.secure_cookies
    response.set_cookie(name, value, max_age=seconds, path="/", secure=secure, httponly=True, samesite="lax" if lax else "strict")


def safe_path(path: str) -> str:
    """Return a path of this site to go on to; anything else becomes `/`."""
    is_own = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() and "\\" not in path
    return path if is_own else "/"


def address_of(request: Request) -> str:
    """Return the address that a request came from."""
    return request.client.host if request.client else "unknown"


def _check(given: str, expected: str) -> None:
    if not expected or not hmac.compare_digest(given.encode(), expected.encode()):
        raise Denied("csrf", "this page is out of date; load it again")
