"""Web search through the team's own SearXNG server; its results are foreign text and foreign addresses, and are treated so."""

from __future__ import annotations

from html import unescape
from typing import Annotated, Any
from urllib.parse import urlsplit

import nh3
from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, StringConstraints

from goldsmith.annotate.tools.fetch import get_json
from goldsmith.annotate.tools.tool import Answer, Desk, Tool, ToolFailure
from goldsmith.annotate.tools.use import LeaseId, use
from goldsmith.config.tools import ToolsConfig
from goldsmith.evaluate.report.text import clean, shorten

LONGEST_TITLE, LONGEST_TEXT, LONGEST_URL = 200, 500, 2000
READ_AT_MOST = 200
"""Results that are looked at, whatever a server sends."""
router = APIRouter(tags=["tools"])
Question = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class SearchBody(BaseModel):
    """What to look for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    question: Question


@router.post("/api/leases/{lease_id}/tools/search")
async def search(request: Request, lease_id: LeaseId, body: SearchBody) -> Response:
    """Search the web for a few words."""
    return await use(request, TOOL, lease_id, body.question, lambda desk: _found(desk, body.question))


def results_of(value: Any, most: int) -> list[dict[str, str]]:
    """Return what a server's JSON holds of results: `title`, `url`, `host` and `text`, each plain text; what is no result is left out.

    Only http and https addresses with a host and without a user's name pass.

    Raises:
        ToolFailure: the value is no answer of a search server.
    """
    rows = value.get("results") if isinstance(value, dict) else None
    if not isinstance(rows, list):
        raise ToolFailure("bad-answer", "the answer has no list of results")
    found = [_result(row) for row in rows[:READ_AT_MOST] if isinstance(row, dict)]
    return [row for row in found if row is not None][:most]


def _settings(rules: ToolsConfig) -> dict[str, Any] | None:
    return {} if rules.search.url else None


def _found(desk: Desk, question: str) -> Answer:
    rules = desk.rules.search
    value = get_json(f"{rules.url}/search", {"q": question, "format": "json"}, rules.timeout_s)
    results = results_of(value, rules.results)
    told = "\n".join(f"{row['title']} <{row['url']}>" for row in results)
    return Answer(shown={"results": results}, told=told)


def _result(row: dict[str, Any]) -> dict[str, str] | None:
    url = row.get("url")
    host = _host(url) if isinstance(url, str) else ""
    if not host:
        return None
    return {
        "title": _plain(row.get("title"), LONGEST_TITLE),
        "url": str(url),
        "host": host,
        "text": _plain(row.get("content"), LONGEST_TEXT),
    }


def _host(url: str) -> str:
    """The host of an address that may be shown as a link, else nothing."""
    if len(url) > LONGEST_URL or not url.isprintable() or clean(url) != url or any(sign in url for sign in ' \\"<>'):
        return ""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna").decode("ascii")
        is_fine = parts.scheme.lower() in ("http", "https") and bool(host) and "@" not in parts.netloc and (parts.port or 1) > 0
    except (ValueError, UnicodeError):
        return ""
    return host if is_fine else ""


def _plain(value: Any, limit: int) -> str:
    """Text without its markup, on one line."""
    if not isinstance(value, str):
        return ""
    return shorten(" ".join(unescape(nh3.clean(value[: 8 * limit], tags=set())).split()), limit)


TOOL = Tool(name="search", key="G", router=router, settings=_settings)
