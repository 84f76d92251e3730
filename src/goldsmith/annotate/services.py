"""What every request needs, made once when the application starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from fastapi import Request

from goldsmith.annotate.people.oidc import Provider
from goldsmith.annotate.summary import Summary
from goldsmith.annotate.texts import Texts
from goldsmith.gold.room import Room


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The room, the renderer's cache, the templates, the lead's figures and the provider of single sign-on."""

    room: Room
    texts: Texts
    summary: Summary
    difference: Any
    environment: Any
    provider: Provider | None
    public_url: str


def services(request: Request) -> Services:
    """Return the services of the application that a request came to."""
    return cast(Services, request.app.state.services)
