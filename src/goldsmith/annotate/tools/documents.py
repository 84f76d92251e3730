"""Search in the team's own documents: passages with the words of the question marked, as text."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from goldsmith.annotate.documents import DocumentIndex, Hit
from goldsmith.annotate.documents.excerpt import excerpt
from goldsmith.annotate.documents.manage import FILE
from goldsmith.annotate.tools.search import SearchBody
from goldsmith.annotate.tools.tool import Answer, Desk, Tool, ToolFailure
from goldsmith.annotate.tools.use import LeaseId, use
from goldsmith.config.tools import ToolsConfig
from goldsmith.evaluate.report.text import clean

router = APIRouter(tags=["tools"])


@router.post("/api/leases/{lease_id}/tools/documents")
async def documents(request: Request, lease_id: LeaseId, body: SearchBody) -> Response:
    """Search the team's documents for a few words."""
    return await use(request, TOOL, lease_id, body.question, lambda desk: _found(desk, body.question))


def _settings(rules: ToolsConfig) -> dict[str, Any] | None:
    return {} if rules.documents.on else None


def _found(desk: Desk, question: str) -> Answer:
    path = desk.folder / FILE
    if not path.is_file():
        raise ToolFailure("no-index")
    with DocumentIndex(path) as index:
        hits = index.search(question, desk.rules.documents.results)
    told = "\n".join(f"{hit.title} ({hit.path}, {hit.number}/{hit.passages})" for hit in hits)
    return Answer(shown={"results": [_shown(hit, question) for hit in hits]}, told=told)


def _shown(hit: Hit, question: str) -> dict[str, Any]:
    pieces, is_whole = excerpt(clean(hit.text), question)
    name = clean(hit.path.rpartition("/")[2])
    return {
        "title": clean(hit.title),
        "place": f"{name} · {hit.number}/{hit.passages}",
        "pieces": [{"text": text, "hit": is_hit} for text, is_hit in pieces],
        "passage": "" if is_whole else clean(hit.text),
    }


TOOL = Tool(name="documents", key="L", router=router, settings=_settings)
