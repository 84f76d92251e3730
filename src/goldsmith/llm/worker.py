"""Many calls at once: workers that reserve, send, retry and write down, until every question has an outcome."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from goldsmith.config.llm import LlmConfig
from goldsmith.errors import ProviderError
from goldsmith.llm.account import may_go_without_schema, raise_if_hopeless, understand, unreachable, used_by
from goldsmith.llm.budget import Budget, most_of
from goldsmith.llm.client import Endpoint
from goldsmith.llm.journal import Journal
from goldsmith.llm.ledger import UNKNOWN_AFTER_STOP, EndState, Ledger, Stored
from goldsmith.llm.pace import Ended
from goldsmith.llm.request import Completion, Failure, Request
from goldsmith.llm.response import Reading, read_response
from goldsmith.llm.retry import LONGEST_RETRY_AFTER_S, Attempt, delay_s
from goldsmith.llm.spent import Spent

_END_STATES: dict[str, EndState] = {"status": "rejected", "unreachable": "not sent", "timeout": "unknown", "lost": "unknown"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A request that the cache could not answer; `key` names it among the questions of a batch."""

    key: str
    request: Request
    endpoint: Endpoint


class Caller:
    """Asks questions within the budget; the ledger knows of every call before it leaves."""

    def __init__(
        self, ledger: Ledger, journal: Journal, budget: Budget, config: LlmConfig, seed: int, base_delay_s: float
    ) -> None:
        self._ledger = ledger
        self._journal = journal
        self._budget = budget
        self._config = config
        self._seed = seed
        self._base_delay_s = base_delay_s
        self._idle: set[asyncio.Task[None]] = set()
        self._error: ProviderError | None = None

    async def ask(self, questions: Sequence[Question], advance: Callable[[int], None]) -> dict[str, Completion | Failure]:
        """Return the outcome of each question by its key.

        Args:
            questions: distinct questions, in the order in which the budget is spent on them.
            advance: called with the number of outcomes so far.

        Raises:
            UserError: see `Endpoint.send`.
            ProviderError: a server is unreachable or refuses every request; calls under way were waited for.
            StoreError: the ledger cannot be written.
        """
        outcomes: dict[str, Completion | Failure] = {}
        queues: dict[str, deque[Question]] = {}
        for question in questions:
            question.endpoint.check()
            queues.setdefault(question.endpoint.config.name, deque()).append(question)

        async def work(queue: deque[Question]) -> None:
            while queue and self._error is None:
                question = queue.popleft()
                outcomes[question.key] = await self._answer(question)
                advance(len(outcomes))

        self._error = None
        workers = [queue for queue in queues.values() for _ in range(min(len(queue), self._config.concurrency))]
        try:
            async with asyncio.TaskGroup() as group:
                self._idle = {group.create_task(self._guarded(work(queue))) for queue in workers}
        except BaseExceptionGroup as errors:
            raise _first(errors) from None
        if self._error is not None:
            raise self._error
        return outcomes

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        """Let one worker's dead server end the others too, but not their calls under way: those may be paid for."""
        try:
            await work
        except ProviderError as error:
            self._error = self._error or error
            for task in self._idle - {_this_task()}:
                task.cancel()

    async def _answer(self, question: Question) -> Completion | Failure:
        """Return the outcome of a question after as many attempts as it takes and may take."""
        endpoint, number = question.endpoint, 0
        while True:
            outcome = await self._try_both_ways(question)
            if not isinstance(outcome, Attempt):
                return outcome
            raise_if_hopeless(outcome, endpoint)
            is_last = number == self._config.max_retries or self._error is not None
            if is_last or not outcome.may_retry or self._is_gone(outcome, endpoint):
                break
            await self._pause(outcome, number, question)
            number += 1
        if outcome.cause == "unreachable":
            raise unreachable(outcome, endpoint)
        return Failure(kind=outcome.failure_kind, detail=outcome.detail)

    async def _try_both_ways(self, question: Question) -> Completion | Failure | Attempt:
        """Try with the schema, where there is one, and without where the server refuses it."""
        endpoint = question.endpoint
        with_schema = question.request.schema is not None and endpoint.takes_schema is not False
        outcome = await self._try(question, with_schema=with_schema)
        if with_schema and isinstance(outcome, Attempt) and may_go_without_schema(outcome, endpoint):
            return await self._try_without_schema(question, outcome)
        return outcome

    async def _try_without_schema(self, question: Question, refusal: Attempt) -> Completion | Failure | Attempt:
        """Ask again without the schema; when that is answered, the server is known to refuse it."""
        endpoint = question.endpoint
        outcome = await self._try(question, with_schema=False)
        if isinstance(outcome, Attempt):
            # Refused either way, the first refusal names the reason.
            return refusal if outcome.failure_kind == "refused" else outcome
        if isinstance(outcome, Completion):
            endpoint.takes_schema = endpoint.takes_schema or False
            await self._journal.write(partial(self._ledger.note_refused_schema, endpoint.address, endpoint.model))
        return outcome

    async def _try(self, question: Question, *, with_schema: bool) -> Completion | Failure | Attempt:
        """Return an outcome, or the attempt that brought none."""
        endpoint, request = question.endpoint, question.request
        key = endpoint.key(request, with_schema=with_schema)
        if key != question.key and (stored := self._ledger.response(key)) is not None:
            return read_response(stored.body, problem=stored.problem, cached=True).outcome
        ended: Ended = "stopped"
        latency_s = 0.0
        ticket = await endpoint.gate.enter((request.purpose, request.max_tokens))
        try:
            if asyncio.get_running_loop().time() < endpoint.gone_until_s:
                return Failure(kind="rate-limited", detail="not asked: the server wants no calls for a long time")
            most = most_of(request, endpoint.config)
            if refusal := await self._budget.reserve(most):
                return Failure(kind="budget", detail=refusal)
            attempt, reading = await self._call(key, question, most, with_schema=with_schema)
            ended, latency_s = attempt.ended, attempt.seconds
        finally:
            endpoint.gate.leave(ticket, ended, latency_s)
        if reading is None:
            return attempt
        if with_schema and isinstance(reading.outcome, Completion):
            endpoint.takes_schema = True
        return reading.outcome

    async def _call(self, key: str, question: Question, most: Spent, *, with_schema: bool) -> tuple[Attempt, Reading | None]:
        """Make one reserved call and settle what it used; a reading where it was answered."""
        used, call_id, task = Spent(), None, _this_task()
        try:
            await question.endpoint.open()
            entry = partial(self._ledger.begin, key, question.endpoint.config.name, question.request.purpose, most)
            self._idle.discard(task)
            call_id = await self._journal.write(entry)
            used = most
            attempt, reading = understand(
                await question.endpoint.send(question.endpoint.body(question.request, with_schema=with_schema))
            )
            used, is_bound = used_by(attempt, reading, most, question.endpoint)
            await self._journal.write(self._entry(call_id, key, attempt, used, is_bound=is_bound))
            return attempt, reading if attempt.cause == "answered" else None
        except BaseException:
            if call_id is not None:
                self._ledger.end(call_id, "unknown", UNKNOWN_AFTER_STOP, most)
            raise
        finally:
            self._idle.add(task)
            await self._budget.settle(most, used)

    def _entry(self, call_id: int, key: str, attempt: Attempt, used: Spent, *, is_bound: bool) -> Callable[[], None]:
        """Return what ends a call in the ledger."""
        if attempt.cause == "answered":
            stored = Stored(body=attempt.body, problem=attempt.problem)
            return partial(self._ledger.finish, call_id, key, stored, attempt.status or 200, used, estimated=is_bound)
        return partial(self._ledger.end, call_id, _END_STATES[attempt.cause], attempt.detail, used, attempt.status)

    async def _pause(self, attempt: Attempt, number: int, question: Question) -> None:
        wait_s = delay_s(attempt, number, question.key, self._seed, self._base_delay_s)
        if attempt.retry_after_s is not None:
            # The server speaks of itself, not of this request: everybody waits.
            question.endpoint.gate.pause(wait_s)
        else:
            await asyncio.sleep(wait_s)

    def _is_gone(self, attempt: Attempt, endpoint: Endpoint) -> bool:
        """Tell whether the server wants a pause too long to wait for; then nobody else need ask."""
        if (attempt.retry_after_s or 0.0) <= LONGEST_RETRY_AFTER_S:
            return False
        endpoint.gone_until_s = asyncio.get_running_loop().time() + (attempt.retry_after_s or 0.0)
        return True


def _this_task() -> asyncio.Task[None]:
    task = asyncio.current_task()
    assert task is not None
    return task


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    found: BaseException = errors
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found
