"""The HTTP application: paths to dialects, refusals to each dialect's shape of error, and the routes of operation."""

from __future__ import annotations

import asyncio
import logging
import math
import re
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as HttpRoute

from goldsmith.config.serve import ServeConfig
from goldsmith.serve import dialects
from goldsmith.serve.answering import Answerer
from goldsmith.serve.body import ClientGone, parse, read_body, unless_gone
from goldsmith.serve.dialects.base import Dialect, Route
from goldsmith.serve.items import Outcome, Plan
from goldsmith.serve.keys import Caller, Keys
from goldsmith.serve.metrics import Metrics
from goldsmith.serve.models import Models
from goldsmith.serve.openapi import describe
from goldsmith.serve.problem import Refusal
from goldsmith.serve.tracing import Tracing
from goldsmith.wire import goldsmith as wire

LOG = logging.getLogger("goldsmith.serve")
JSON = "application/json"
GONE = 499
"""Status in logs and metrics of a request whose client went away; nobody receives it."""
_REQUEST_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)


@dataclass(slots=True)
class _Told:
    """What the log says of one request."""

    request_id: str
    started: float = field(default_factory=time.monotonic)
    key: str = "-"
    outcome: Outcome | None = None
    code: str = ""


class Application:
    """One server's routes and what they need."""

    def __init__(self, models: Models, config: ServeConfig, metrics: Metrics, keys: Keys, tracing: Tracing) -> None:
        """Join the parts."""
        self.models, self.config, self.metrics, self.keys, self.tracing = models, config, metrics, keys, tracing
        self.is_stopping = False
        self.active = 0
        self._answerer = Answerer(models, config, metrics)
        self.paths = dialects.paths(config.dialect)
        self._openapi = describe(self.paths)

    def build(self, *, opens: bool = True) -> Starlette:
        """Return the ASGI application.

        Args:
            opens: it loads its models when it starts, and ends their workers when it stops.
        """
        routes = [
            HttpRoute(path, self._endpoint(dialect, route), methods=["POST"]) for path, (dialect, route) in self.paths.items()
        ]
        for path, method, handler in (
            ("/health", "GET", self._health),
            ("/ready", "GET", self._ready),
            ("/metrics", "GET", self._metrics),
            ("/openapi.json", "GET", self._description),
            ("/v1/models", "GET", self._list_openai),
            ("/goldsmith/v1/models", "GET", self._list),
            ("/goldsmith/v1/reload", "POST", self._reload),
        ):
            routes.append(HttpRoute(path, handler, methods=[method]))
        handlers: Any = {HTTPException: self._no_route}
        return Starlette(routes=routes, exception_handlers=handlers, lifespan=self._lifespan if opens else None)

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        await self.models.open()
        try:
            yield
        finally:
            await self.models.close()

    def _endpoint(self, dialect: Dialect, route: Route) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            told = _Told(_request_id(request))
            with self.tracing.request(f"{dialect.name} {route.path}", request.headers) as span, self._counted():
                status, body, headers = await self._respond(dialect, route, request, told)
                self._tell(dialect.name, route.path, status, told, span)
            return Response(body, status, {"x-request-id": told.request_id, **headers}, JSON)

        return endpoint

    async def _respond(self, dialect: Dialect, route: Route, request: Request, told: _Told) -> tuple[int, bytes, dict[str, str]]:
        try:
            caller = self._admitted(request)
            told.key = caller.name
            parsed = await parse(await read_body(request, self.config), route.request)
            plan = route.plan(parsed)
            outcome = told.outcome = await unless_gone(request, self._answerer.answer(plan, caller, told.request_id))
            return 200, route.encode(route.answer(parsed, outcome)), _headers(plan, outcome)
        except Refusal as refusal:
            told.code = refusal.code
            return _refused(dialect, refusal, told.request_id)
        except ClientGone:
            return self._gone(told)
        except Exception:  # the HTTP boundary: a bug of ours is an error of ours, in the dialect's shape
            return self._bug(dialect, told)

    def _gone(self, told: _Told) -> tuple[int, bytes, dict[str, str]]:
        told.code = "client-gone"
        self.metrics.cancelled.inc()
        return GONE, b"", {}

    def _bug(self, dialect: Dialect, told: _Told) -> tuple[int, bytes, dict[str, str]]:
        LOG.exception("a request failed", extra={"event": "bug", "request_id": told.request_id})
        told.code = "bug"
        return _refused(dialect, Refusal(500, "bug", "the server failed; its log tells where"), told.request_id)

    def _admitted(self, request: Request) -> Caller:
        caller = self.keys.caller(request.headers.get("authorization"), request.headers.get("x-api-key"))
        if self.is_stopping:
            raise Refusal(503, "stopping", "the server stops; try another one, or later", retry_after_s=5.0)
        if self.active > self.config.max_connections:
            raise Refusal(503, "overloaded", "too many requests at the same time", retry_after_s=1.0)
        caller.charge(requests=1)
        return caller

    def _counted(self) -> _Counted:
        return _Counted(self)

    def _tell(self, dialect: str, route: str, status: int, told: _Told, span: Any) -> None:
        seconds = time.monotonic() - told.started
        self.metrics.requests.labels(dialect, route, str(status)).inc()
        self.metrics.seconds.labels(dialect, route).observe(seconds)
        if told.code:
            self.metrics.refusals.labels(told.code).inc()
        facts: dict[str, Any] = {
            "dialect": dialect,
            "route": route,
            "status": status,
            "key": told.key,
            "seconds": round(seconds, 4),
            **({"code": told.code} if told.code else {}),
        }
        if told.outcome is not None:
            facts.update(model=told.outcome.model, items=len(told.outcome.rewards), tokens=told.outcome.total_tokens)
        if span is not None:
            span.set_attributes({f"goldsmith.{name}": value for name, value in facts.items()})
        LOG.info("request", extra={"event": "request", "request_id": told.request_id, **facts})

    async def _health(self, request: Request) -> Response:
        return Response(b'{"status":"ok"}', media_type=JSON)

    async def _ready(self, request: Request) -> Response:
        is_ready = self.models.is_ready and not self.is_stopping
        return Response(b'{"ready":true}' if is_ready else b'{"ready":false}', 200 if is_ready else 503, media_type=JSON)

    async def _metrics(self, request: Request) -> Response:
        for pool in self.models.all():
            self.metrics.waiting.labels(pool.name).set(pool.batcher.waiting_tokens)
        self.metrics.active.set(self.active)
        return Response(self.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def _description(self, request: Request) -> Response:
        return Response(self._openapi, media_type=JSON)

    async def _list(self, request: Request) -> Response:
        return await self._operated(request, self._models)

    async def _list_openai(self, request: Request) -> Response:
        return await self._operated(request, self._models_openai)

    async def _reload(self, request: Request) -> Response:
        return await self._operated(request, self._reloaded)

    async def _operated(self, request: Request, work: Callable[[Request, Caller], Awaitable[Any]]) -> Response:
        own, told = dialects.DIALECTS["goldsmith"], _Told(_request_id(request))
        status = 200
        headers: dict[str, str] = {}
        try:
            body = (await work(request, self._admitted(request))).model_dump_json().encode()
        except Refusal as refusal:
            told.code = refusal.code
            status, body, headers = _refused(own, refusal, told.request_id)
        except ClientGone:
            status, body, headers = self._gone(told)
        except Exception:  # the HTTP boundary, as above
            status, body, headers = self._bug(own, told)
        self._tell("goldsmith", request.url.path, status, told, None)
        return Response(body, status, {"x-request-id": told.request_id, **headers}, JSON)

    async def _models(self, request: Request, caller: Caller) -> wire.ModelList:
        return wire.ModelList(models=[pool.describe() for pool in self.models.all()])

    async def _models_openai(self, request: Request, caller: Caller) -> wire.OpenAIModels:
        return wire.OpenAIModels(data=[wire.OpenAIModel(id=pool.name) for pool in self.models.all()])

    async def _reloaded(self, request: Request, caller: Caller) -> wire.ReloadReply:
        if not caller.is_admin:
            raise Refusal(403, "not-admin", "only a key of scope `admin` may reload a model")
        if self.keys.path is None and "origin" in request.headers:
            # Without keys whoever reaches this machine's loopback is its administrator, and a page in its browser does.
            raise Refusal(403, "not-admin", "a server without keys takes no reload from a web page")
        wanted = await parse(await read_body(request, self.config) or b"{}", wire.ReloadRequest)
        # Shielded: a version that is half loaded must not be left behind by an impatient client.
        old, new = await asyncio.shield(self.models.reload(wanted.model, wanted.path))
        return wire.ReloadReply(model=new.name, digest_before=old.digest, digest=new.digest)

    async def _no_route(self, request: Request, error: HTTPException) -> Response:
        prefix = request.url.path.split("/")[1]
        dialect = dialects.DIALECTS.get(prefix) or dialects.DIALECTS[self.config.dialect]
        known = self.paths.get(request.url.path)
        what = "method" if error.status_code == 405 else "path"
        refusal = Refusal(error.status_code, f"no-such-{what}", f"there is no such {what}; /openapi.json lists every path")
        status, body, headers = _refused(known[0] if known else dialect, refusal, request_id := _request_id(request))
        return Response(body, status, {"x-request-id": request_id, **headers, **(error.headers or {})}, JSON)


class _Counted:
    """Counts the requests being answered."""

    def __init__(self, application: Application) -> None:
        self._application = application

    def __enter__(self) -> None:
        self._application.active += 1

    def __exit__(self, *reason: object) -> None:
        self._application.active -= 1


def _request_id(request: Request) -> str:
    given = request.headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(12)


def _headers(plan: Plan, outcome: Outcome) -> dict[str, str]:
    """Return what the body's fixed shape has no room for."""
    cut = sum(1 for reward in outcome.rewards if reward.cut)
    return {
        "x-goldsmith-activation": outcome.activation,
        "x-goldsmith-model": outcome.model.encode("ascii", "replace").decode(),
        "x-goldsmith-digest": outcome.digest,
        **({"x-goldsmith-truncated": str(cut)} if cut else {}),
        **({"x-goldsmith-ignored": _listed(plan.ignored)} if plan.ignored else {}),
    }


def _listed(names: Any) -> str:
    return ",".join(name.encode("ascii", "replace").decode() for name in names if name.isprintable())[:500]


def _refused(dialect: Dialect, refusal: Refusal, request_id: str) -> tuple[int, bytes, dict[str, str]]:
    headers = {"x-goldsmith-error": refusal.code}
    if refusal.retry_after_s is not None:
        headers["retry-after"] = str(max(1, math.ceil(refusal.retry_after_s)))
    if refusal.status in (408, 413):
        # What is left of the body is not read.
        headers["connection"] = "close"
    body = dialect.problem(refusal, request_id).model_dump_json(exclude_none=False).encode()
    return dialect.status(refusal), body, headers
