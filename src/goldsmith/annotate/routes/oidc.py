"""Sign-in through an OpenID Connect provider: out, and back."""

from __future__ import annotations

import hmac
import json
from dataclasses import asdict

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from goldsmith.annotate.failures import LOG, answer
from goldsmith.annotate.people.oidc import Attempt, Provider, Refused, person_of_claims
from goldsmith.annotate.routes.sign_in import welcome
from goldsmith.annotate.services import services
from goldsmith.annotate.visitor import OIDC_COOKIE, safe_path, set_cookie

router = APIRouter(tags=["sign-in"])
ATTEMPT_SECONDS = 600


@router.get("/sign-in/oidc")
def leave(request: Request, next: str = "/") -> Response:
    """Send the browser to the provider."""
    provider = services(request).provider
    if provider is None:
        return answer(request, "not-found", "no provider is configured")
    try:
        address, attempt = provider.begin(_redirect_uri(request), safe_path(next))
    except Refused as error:
        return _refused(request, error)
    response = RedirectResponse(address, status_code=303)
    set_cookie(request, response, OIDC_COOKIE, json.dumps(asdict(attempt)), lax=True, seconds=ATTEMPT_SECONDS)
    return response


@router.get("/sign-in/oidc/callback")
def come_back(request: Request, code: str = "", state: str = "") -> Response:
    """Check what the provider says, and sign in."""
    provider, attempt = services(request).provider, _attempt(request)
    if provider is None:
        return answer(request, "not-found", "no provider is configured")
    if attempt is None or not code or not hmac.compare_digest(state.encode(), attempt.state.encode()):
        return _refused(request, Refused("this browser did not begin this sign-in"))
    try:
        return _signed_in(request, provider, attempt, code)
    except Refused as error:
        return _refused(request, error)


def _signed_in(request: Request, provider: Provider, attempt: Attempt, code: str) -> Response:
    claims = provider.finish(_redirect_uri(request), attempt, code)
    person = person_of_claims(services(request).room, str(claims["iss"]).rstrip("/"), claims)
    if person is None or person.state != "active":
        return RedirectResponse("/sign-in?error=no-account", status_code=303)
    response = welcome(request, person.person_id, attempt.next, "oidc")
    response.delete_cookie(OIDC_COOKIE, path="/")
    return response


def _attempt(request: Request) -> Attempt | None:
    try:
        return Attempt(**json.loads(request.cookies.get(OIDC_COOKIE, "")))
    except (ValueError, TypeError):
        return None


def _redirect_uri(request: Request) -> str:
    base = services(request).public_url or str(request.base_url).rstrip("/")
    return f"{base}/sign-in/oidc/callback"


def _refused(request: Request, error: Refused) -> Response:
    LOG.warning("sign-in through the provider failed: %s", error)
    return RedirectResponse("/sign-in?error=oidc-refused", status_code=303)
