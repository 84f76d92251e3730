"""One use of a tool, from the request to the record: allowed, worked on apart from the pages, timed, written down, answered."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Annotated

from fastapi import Path, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from goldsmith.annotate.pages import as_json
from goldsmith.annotate.services import services
from goldsmith.annotate.tools.tool import Answer, Desk, Tool, ToolFailure
from goldsmith.annotate.visitor import Denied, check_call, signed_in
from goldsmith.gold.leases import held_lease, material_of
from goldsmith.gold.tool_uses import Use, add_use, count_uses

LOG = logging.getLogger("goldsmith.annotate")
LeaseId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
Work = Callable[[Desk], Answer]


async def use(request: Request, tool: Tool, lease_id: str, question: str, work: Work) -> Response:
    """Let a tool work on a pair that the person who asks holds, and return `{"use_id", "seconds", "answer", "failure"}`.

    Args:
        request: carries the session and its CSRF value.
        tool: which one; when it is off, there is no such address.
        lease_id: the pair; somebody else's looks like none.
        question: what is recorded as asked.
        work: finds the answer; runs in a thread that no page needs, and may raise `ToolFailure`.

    Raises:
        Denied: nobody is signed in, the value is wrong, the tool is off, or too much was asked about this pair.
        NotYours: the lease is none of this person's.
        Gone: it is over.
    """
    here = services(request)
    desk = await run_in_threadpool(desk_of, request, tool, lease_id)
    began_s = time.monotonic()
    answer, failure = await asyncio.get_running_loop().run_in_executor(here.workers, _worked, tool, desk, work)
    seconds = time.monotonic() - began_s
    done = Use(
        tool=tool.name,
        question=question,
        answer=answer.told if answer else "",
        failure=failure.kind if failure else None,
        flag=answer.flag if answer else failure.flag if failure else None,
        seconds=seconds,
    )
    use_id = await run_in_threadpool(add_use, here.room, desk.lease, done)
    return as_json(
        {
            "use_id": use_id,
            "seconds": round(seconds, 3),
            "answer": answer.shown if answer else None,
            "failure": {"kind": failure.kind, "detail": failure.detail[:500]} if failure else None,
        }
    )


def desk_of(request: Request, tool: Tool, lease_id: str) -> Desk:
    """Return the pair that the person who asks holds, for a tool that is on.

    Raises:
        Denied: nobody is signed in, the value is wrong, the tool is off, or too much was asked about this pair.
        NotYours: the lease is none of this person's.
        Gone: it is over.
    """
    session, here = signed_in(request), services(request)
    check_call(request, session)
    rules = here.room.rules.tools
    if tool.settings(rules) is None:
        raise Denied("not-found", f"the tool '{tool.name}' is off; annotate.tools of goldsmith.toml switches tools on")
    with here.room.database.read() as connection:
        lease = held_lease(here.room, connection, session.person.person_id, lease_id)
        if count_uses(connection, lease_id) >= rules.uses_per_pair:
            raise Denied("too-many", f"more than {rules.uses_per_pair} questions about one pair (annotate.tools.uses_per_pair)")
        return Desk(lease=lease, material=material_of(connection, lease), rules=rules, folder=here.folder)


def _worked(tool: Tool, desk: Desk, work: Work) -> tuple[Answer | None, ToolFailure | None]:
    try:
        return work(desk), None
    except ToolFailure as failure:
        return None, failure
    except Exception:  # what a tool stumbles over is recorded like any failure, and must not keep the pair from being judged
        LOG.exception("the tool '%s' failed on pair %s", tool.name, desk.lease.pair_id)
        return None, ToolFailure("bug")
