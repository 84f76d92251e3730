"""Many calls at once: workers that reserve, send, retry and write down, until every question has an outcome."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from goldsmith.config.llm import LlmConfig
from goldsmith.errors import ProviderError
from goldsmith.llm.budget import Budget, estimate_call, price
from goldsmith.llm.client import Endpoint
from goldsmith.llm.ledger import EndState, Ledger, Spent
from goldsmith.llm.request import Completion, Failure, Request, read_response, read_usage
from goldsmith.llm.retry import LONGEST_RETRY_AFTER_S, Attempt, delay_s

Question = tuple[str, Request, Endpoint]
HOPELESS = frozenset({401, 403, 404})
"""Statuses that every further request would get too: wrong key, no right, no such model or path."""
_END_STATES: dict[str, EndState] = {"status": "rejected", "unreachable": "not sent", "timeout": "unknown", "lost": "unknown"}


class Caller:
    """Asks questions within the budget; the ledger knows of every call before it leaves."""

    def __init__(self, ledger: Ledger, budget: Budget, config: LlmConfig, seed: int, base_delay_s: float) -> None:
        self._ledger = ledger
        self._budget = budget
        self._config = config
        self._seed = seed
        self._base_delay_s = base_delay_s
        self._in_flight = 0
        self._settled = asyncio.Condition()
        self._permits = asyncio.Semaphore(config.concurrency)

    async def ask(self, questions: Sequence[Question], advance: Callable[[int], None]) -> dict[str, Completion | Failure]:
        """Return the outcome of each question by its key.

        Args:
            questions: distinct questions, in the order in which the budget is spent on them.
            advance: called with the number of outcomes so far.

        Raises:
            UserError: see `Endpoint.send`.
            ProviderError: a server is unreachable or refuses every request.
        """
        outcomes: dict[str, Completion | Failure] = {}
        queues: dict[str, deque[Question]] = {}
        for question in questions:
            queues.setdefault(question[2].config.name, deque()).append(question)

        async def work(queue: deque[Question]) -> None:
            while queue:
                key, request, endpoint = queue.popleft()
                outcomes[key] = await self._answer(key, request, endpoint)
                advance(len(outcomes))

        workers = [queue for queue in queues.values() for _ in range(min(len(queue), self._config.concurrency))]
        try:
            async with asyncio.TaskGroup() as group:
                for queue in workers:
                    group.create_task(work(queue))
        except BaseExceptionGroup as errors:
            # Every worker may have met the same dead server: one of them is enough to tell.
            raise _first(errors) from None
        return outcomes

    async def _answer(self, key: str, request: Request, endpoint: Endpoint) -> Completion | Failure:
        for number in range(self._config.max_retries + 1):
            await _until(endpoint.resume_at)
            async with endpoint.slots, self._permits:
                estimate = estimate_call(request, endpoint.config)
                if refusal := await self._reserve(estimate):
                    return Failure(kind="budget", detail=refusal)
                attempt = await self._attempt(key, request, endpoint, estimate)
            if attempt.cause == "answered":
                return read_response(attempt.body)
            _raise_if_hopeless(attempt, endpoint)
            if not attempt.may_retry or number == self._config.max_retries:
                break
            if (attempt.retry_after_s or 0.0) > LONGEST_RETRY_AFTER_S:
                break
            await self._pause(attempt, number, key, endpoint)
        if attempt.cause == "unreachable":
            raise _unreachable(attempt, endpoint)
        return Failure(kind=attempt.failure_kind, detail=attempt.detail)

    async def _attempt(self, key: str, request: Request, endpoint: Endpoint, estimate: Spent) -> Attempt:
        """Send one call between its two entries in the ledger; a cancelled one is left as unknown."""
        used = estimate
        body = request.body(endpoint.model, json_schema=endpoint.config.json_schema)
        call_id: int | None = None
        try:
            await endpoint.open()
            call_id = self._ledger.begin(key, endpoint.config.name, request.purpose, estimate)
            attempt = await endpoint.send(body)
            if attempt.cause == "answered":
                counts = read_usage(attempt.body)
                used = price(endpoint.config, *counts) if counts else estimate
                self._ledger.finish(call_id, key, attempt.body, attempt.status or 200, used)
            else:
                used = _used(attempt, estimate)
                self._ledger.end(call_id, _END_STATES[attempt.cause], attempt.detail, attempt.status)
            return attempt
        except BaseException:
            if call_id is None:
                used = Spent()
            else:
                self._ledger.end(call_id, "unknown", "stopped")
            raise
        finally:
            await self._settle(estimate, used)

    async def _reserve(self, estimate: Spent) -> str | None:
        """Book the call, or return why not; calls in flight may use less than their estimates, so those are waited for."""
        async with self._settled:
            while (refusal := self._budget.reserve(estimate)) is not None:
                if self._in_flight == 0:
                    return refusal
                await self._settled.wait()
            self._in_flight += 1
        return None

    async def _settle(self, estimate: Spent, used: Spent) -> None:
        self._budget.settle(estimate, used)
        self._in_flight -= 1
        async with self._settled:
            self._settled.notify_all()

    async def _pause(self, attempt: Attempt, number: int, key: str, endpoint: Endpoint) -> None:
        wait_s = delay_s(attempt, number, key, self._seed, self._base_delay_s)
        if attempt.retry_after_s is not None:
            # The server speaks of itself, not of this request: everybody waits.
            endpoint.resume_at = max(endpoint.resume_at, asyncio.get_running_loop().time() + wait_s)
        else:
            await asyncio.sleep(wait_s)


async def _until(moment: float) -> None:
    await asyncio.sleep(max(0.0, moment - asyncio.get_running_loop().time()))


def _used(attempt: Attempt, estimate: Spent) -> Spent:
    if attempt.cause == "unreachable":
        return Spent()
    return Spent(calls=1) if attempt.cause == "status" else estimate


def _raise_if_hopeless(attempt: Attempt, endpoint: Endpoint) -> None:
    config = endpoint.config
    if attempt.cause == "unreachable" and not endpoint.has_answered:
        raise _unreachable(attempt, endpoint)
    if attempt.cause == "status" and attempt.status in HOPELESS:
        raise ProviderError(
            f"llm.endpoints '{config.name}' at {config.base_url or 'the embedded server'} refuses model '{endpoint.model}': "
            f"{attempt.detail}; check base_url, model and api_key_env ({config.api_key_env or 'not set'})"
        )


def _unreachable(attempt: Attempt, endpoint: Endpoint) -> ProviderError:
    config = endpoint.config
    return ProviderError(
        f"llm.endpoints '{config.name}': no connection to {config.base_url or 'the embedded server'} ({attempt.detail}); start the "
        "server or correct base_url, then run again: answers that arrived are kept"
    )


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    found: BaseException = errors
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found
