"""The application: one factory, so that tests, the command line and any ASGI server start the same thing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import anyio.to_thread
from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from goldsmith.annotate.failures import add_handlers
from goldsmith.annotate.people.oidc import Provider
from goldsmith.annotate.routes import exports, history, lead, oidc, people, pictures, sign_in, votes, work
from goldsmith.annotate.security import Security
from goldsmith.annotate.services import Services
from goldsmith.annotate.summary import Summary
from goldsmith.annotate.texts import Texts
from goldsmith.annotate.tools.catalogue import TOOLS
from goldsmith.gold.room import Room
from goldsmith.version import code_version

ROUTES = (sign_in, oidc, work, votes, history, lead, people, pictures, exports)


def create_app(
    room: Room,
    *,
    public_url: str = "",
    environment: Any = None,
    render: Callable[[str], str] | None = None,
    difference: Callable[[str, str], tuple[str, str]] | None = None,
    folder: Path | None = None,
    threads: int = 24,
) -> FastAPI:
    """Return the annotation room of an open database.

    Args:
        room: database and rules; closed when the application stops.
        public_url: address people use, for links that leave the site; none: that of each request.
        environment: templates; none: the package's own.
        render: safe HTML of a text; none: the package's own.
        difference: safe HTML of two replies with their differences marked; none: the package's own.
        folder: where tools keep files; none: beside the database's file, or, with a server, where the process works.
        threads: requests that are worked on at once.
    """
    if environment is None:
        from goldsmith.annotate.environment import environment as own_environment

        environment = own_environment()
    if render is None or difference is None:
        from goldsmith.annotate import rendering

        render, difference = render or rendering.render, difference or rendering.difference

    workers = ThreadPoolExecutor(room.rules.tools.at_once, thread_name_prefix="goldsmith-tool")

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = threads
        yield
        workers.shutdown(cancel_futures=True)
        room.close()

    app = FastAPI(title="Goldsmith annotation room", version=code_version(), docs_url=None, redoc_url=None, lifespan=lifespan)
    provider = Provider(room.rules.oidc) if room.rules.oidc.issuer else None
    app.state.services = Services(
        room=room,
        texts=Texts(render),
        summary=Summary(room),
        difference=difference,
        environment=environment,
        provider=provider,
        public_url=public_url.rstrip("/"),
        folder=folder or _beside(room),
        workers=workers,
    )
    for router in (*(group.router for group in ROUTES), *(tool.router for tool in TOOLS)):
        app.include_router(router)
    static = files("goldsmith.annotate").joinpath("static")
    app.mount("/static", StaticFiles(directory=str(static), check_dir=False), name="static")
    add_handlers(app)
    app.add_middleware(Security)
    return app


def _beside(room: Room) -> Path:
    return Path(str(room.database.url.database)).parent if room.database.is_sqlite else Path()
