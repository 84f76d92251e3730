"""Clients: closed loops that send the next request when the last one is answered, and open ones that send at a rate whatever comes back."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2

from load.texts import Sample

PATIENCE_S = 300.0


@dataclass(frozen=True, slots=True)
class Form:
    """How samples are sent, and where the scores of the answer are, in the order of the samples."""

    path: str
    body: Callable[[list[Sample]], dict[str, Any]]
    scores: Callable[[Any], list[float]]


OPENRLHF = Form("/get_reward", lambda samples: {"query": [sample.text for sample in samples]}, lambda found: found["rewards"])


def rerank(path: str, model: str) -> Form:
    """Replies to one prompt, in the shape that vLLM, Cohere and infinity share; raw scores."""

    def body(samples: list[Sample]) -> dict[str, Any]:
        prompt, documents = samples[0].messages[0]["content"], [sample.messages[-1]["content"] for sample in samples]
        return {"model": model, "query": prompt, "documents": documents, "raw_scores": True, "return_documents": False}

    def scores(found: Any) -> list[float]:
        return [entry["relevance_score"] for entry in sorted(found["results"], key=lambda entry: int(entry["index"]))]

    return Form(path, body, scores)


@dataclass(slots=True)
class Seen:
    """What one phase of a run saw.

    Attributes:
        seconds: latencies of answered requests.
        refused: latencies of 429 and 503.
        errors: anything else.
        apart: largest difference from a golden score, times max(1, |score|).
        lasted: seconds of the phase.
    """

    seconds: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    apart: float = 0.0
    tokens: int = 0
    lasted: float = 0.0

    @property
    def rate(self) -> float:
        """Answered requests a second."""
        return len(self.seconds) / self.lasted if self.lasted else 0.0

    def quantile(self, share: float) -> float:
        found = sorted(self.seconds)
        return found[min(len(found) - 1, int(share * len(found)))] if found else float("nan")


@asynccontextmanager
async def connected() -> AsyncIterator[httpx2.AsyncClient]:
    limits = httpx2.Limits(max_connections=4096, max_keepalive_connections=4096)
    async with httpx2.AsyncClient(timeout=PATIENCE_S, limits=limits, trust_env=False) as http:
        yield http


async def ask(http: httpx2.AsyncClient, url: str, samples: list[Sample], seen: Seen, form: Form = OPENRLHF) -> int:
    """Send one request and judge its answer; returns the status, 0 without one."""
    begun = time.perf_counter()
    try:
        response = await http.post(url + form.path, json=form.body(samples))
    except httpx2.HTTPError as error:
        seen.errors.append(type(error).__name__)
        return 0
    took = time.perf_counter() - begun
    if response.status_code == 200:
        seen.seconds.append(took)
        seen.tokens += sum(sample.tokens for sample in samples)
        for sample, score in zip(samples, form.scores(response.json()), strict=True):
            seen.apart = max(seen.apart, _apart(score, sample.score))
    elif response.status_code in (429, 503):
        seen.refused.append(took)
    else:
        seen.errors.append(f"HTTP {response.status_code}")
    return int(response.status_code)


def _apart(score: float, golden: float) -> float:
    """How far a score is from its golden one, times max(1, |score|); what is no number is infinitely far, as `max` would pass it over."""
    found = abs(score - golden) / max(1.0, abs(golden))
    return found if math.isfinite(found) else math.inf


async def closed(
    url: str,
    samples: list[list[Sample]],
    *,
    clients: int,
    seconds: float,
    requests: int | None = None,
    form: Form = OPENRLHF,
) -> Seen:
    """Let clients ask one after the other for so long, or for so many requests in all; requests are single samples in order."""
    seen, queue = Seen(), iter(_endless(samples)) if requests is None else iter(_endless(samples)[:requests])
    ends = time.perf_counter() + seconds

    async def client(http: httpx2.AsyncClient) -> None:
        for sample in queue:
            if time.perf_counter() >= ends:
                return
            await ask(http, url, [sample], seen, form)

    async with connected() as http:
        begun = time.perf_counter()
        await asyncio.gather(*(client(http) for _ in range(clients)))
        seen.lasted = time.perf_counter() - begun
    return seen


async def open_loop(url: str, samples: list[list[Sample]], *, rate: float, seconds: float, seed: int = 0) -> Seen:
    """Send single samples at random times, so many a second on average, for so long; wait for the last answers."""
    seen, draw, tasks = Seen(), random.Random(seed), set[asyncio.Task[Any]]()
    async with connected() as http:
        begun = due = time.perf_counter()
        for sample in _endless(samples):
            due += draw.expovariate(rate)
            if due - begun > seconds:
                break
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            tasks.add(asyncio.create_task(ask(http, url, [sample], seen)))
        await asyncio.sleep(max(0.0, begun + seconds - time.perf_counter()))
        seen.lasted = time.perf_counter() - begun
        answered = len(seen.seconds)
        await asyncio.gather(*tasks)
        seen.lasted = seen.lasted if answered == len(seen.seconds) else time.perf_counter() - begun
    return seen


def _endless(samples: list[list[Sample]]) -> list[Sample]:
    flat = [sample for group in samples for sample in group]
    return flat * max(1, 200_000 // len(flat))
