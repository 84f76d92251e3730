"""People at work: each asks for a pair, thinks, votes, and sends again under the same name what was not answered."""

from __future__ import annotations

import asyncio
import json
import random
import secrets
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from annotate_parts.site import Site

AGAIN_SECONDS = 0.5
SENT_AGAIN = (429, 500, 503)


@dataclass
class Measured:
    """Seconds of each kind of request (of whole requests, in the client), answered votes, failures, and what the server took.

    Attributes:
        counts: requests are measured from now on; before, the room is warming up.
        over: nobody begins anything new.
    """

    shown: list[float] = field(default_factory=list)
    saved: list[float] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)
    most_memory: int = 0
    cpu_seconds: float = 0.0
    counts: bool = False
    over: asyncio.Event = field(default_factory=asyncio.Event)


async def annotator(site: Site, person: tuple[str, str], found: Measured, think: float) -> None:
    """One person's day."""
    token, csrf = person
    headers = {"X-CSRF-Token": csrf, "Cookie": f"goldsmith_session={token}"}
    draw = random.Random(token)
    await _pause(draw.random() * think, found)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{site.port}", headers=headers) as client:
        while not found.over.is_set():
            answer = await _post(client, "/api/next", {"queue": "work"}, found, found.shown)
            task = answer.get("task") if answer else None
            if not task:
                await _pause(AGAIN_SECONDS, found)
                continue
            seconds = draw.expovariate(1 / think)
            await _pause(seconds, found)
            if not found.over.is_set():
                await _vote(client, task["lease_id"], draw.choice(["first", "second", "tie"]), seconds, found)


async def _vote(client: aiohttp.ClientSession, lease_id: str, choice: str, seconds: float, found: Measured) -> None:
    vote = {"vote_id": secrets.token_hex(16), "lease_id": lease_id, "choice": choice, "strength": 1, "seconds": seconds}
    while (answer := await _post(client, "/api/votes", vote, found, found.saved)) is None:
        await asyncio.sleep(AGAIN_SECONDS)
    if answer:
        found.answered.append(vote["vote_id"])


async def _post(
    client: aiohttp.ClientSession, path: str, body: dict[str, Any], found: Measured, times: list[float]
) -> dict[str, Any] | None:
    """The answer; empty when it was refused for good; None when it is to be sent again."""
    started, counts = time.monotonic(), found.counts
    try:
        async with client.post(path, json=body, timeout=aiohttp.ClientTimeout(30)) as response:
            answer = await response.read()
            if response.status != 200:
                found.failures[f"{path} {response.status}"] += 1
                return None if response.status in SENT_AGAIN else {}
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        found.failures[f"{path} {type(error).__name__}"] += 1
        return None
    if counts and not found.over.is_set():
        times.append(time.monotonic() - started)
    parsed: dict[str, Any] = json.loads(answer)
    return parsed


async def _pause(seconds: float, found: Measured) -> None:
    """Wait, but not past the end."""
    try:
        await asyncio.wait_for(found.over.wait(), seconds)
    except TimeoutError:
        return
