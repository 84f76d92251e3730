"""What every request needs, made once when the application starts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from fastapi import Request

from goldsmith.annotate.people.oidc import Provider
from goldsmith.annotate.summary import Summary
from goldsmith.annotate.texts import Texts
from goldsmith.gold.room import Room


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The room, the renderer's cache, the templates, the lead's figures, the provider of single sign-on, and what tools need.

    Attributes:
        folder: where tools keep files.
        workers: threads that tools work in; pages have others.
    """

    room: Room
    texts: Texts
    summary: Summary
    difference: Any
    environment: Any
    provider: Provider | None
    public_url: str
    folder: Path
    workers: ThreadPoolExecutor


def services(request: Request) -> Services:
    """Return the services of the application that a request came to."""
    return cast(Services, request.app.state.services)
