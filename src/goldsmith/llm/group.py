"""The models of a workspace as one group: cache first, then budget, then the wire; many questions, answers in order."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from goldsmith.config.llm import LlmConfig
from goldsmith.errors import UserError
from goldsmith.llm.budget import Budget
from goldsmith.llm.client import Endpoint
from goldsmith.llm.estimate import Estimate, estimate_of
from goldsmith.llm.journal import Journal
from goldsmith.llm.ledger import Ledger
from goldsmith.llm.request import Completion, Failure, Request
from goldsmith.llm.response import read_response
from goldsmith.llm.retry import BASE_DELAY_S
from goldsmith.llm.spent import Spent
from goldsmith.llm.worker import Caller, Question

__all__ = ["Estimate", "LlmGroup", "ModelUsage", "Outcome", "Progress"]

Outcome = Completion | Failure
Progress = Callable[[int, int], None]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelUsage:
    """One model's calls over the life of the workspace; `cached` and `failures` are this session's.

    Attributes:
        calls: calls sent, unknown and rejected ones included.
        cached: answers that were read instead of asked for.
        prompt_tokens: counted by the server; where it does not say, and for unknown calls, the most it can be.
        completion_tokens: likewise.
        cost: by the configured prices.
        unknown: calls whose answer never came: possibly billed, counted at the most they can have used.
        rejected: calls that the server answered with an error.
        estimated: answered calls whose tokens the server did not say, or said what cannot be.
        failures: questions without an answer, by kind.
    """

    model: str
    calls: int
    cached: int
    prompt_tokens: int
    completion_tokens: int
    cost: float
    unknown: int
    rejected: int = 0
    estimated: int = 0
    failures: dict[str, int] = field(default_factory=dict)


class LlmGroup:
    """Several models behind one cache, ledger and budget; a context manager that stops what it started."""

    def __init__(
        self,
        config: LlmConfig,
        cache_path: Path,
        seed: int,
        *,
        base_delay_s: float = BASE_DELAY_S,
        note: Callable[[str], None] | None = None,
    ) -> None:
        """Open cache and ledger; no server is started and nothing is sent.

        Args:
            config: endpoints and budget.
            cache_path: the SQLite file of calls and responses, made when missing.
            seed: of the jitter between retries.
            base_delay_s: first delay between retries, in seconds.
            note: told, before the first call of each batch, what it will use.

        Raises:
            UserError: two endpoints share a name, or one has no address.
            StoreError: the file cannot be opened.
        """
        names = [endpoint.name for endpoint in config.endpoints]
        twice = sorted(name for name, count in Counter(names).items() if count > 1)
        if twice:
            raise UserError(f"llm.endpoints: the name '{twice[0]}' occurs twice; verdicts and costs are told apart by it")
        self.config = config
        self._endpoints = {
            endpoint.name: Endpoint(endpoint, concurrency=config.concurrency, timeout_s=config.timeout_s)
            for endpoint in config.endpoints
        }
        self.ledger = Ledger(cache_path)
        self.budget = Budget(config, self.ledger.spent())
        self._journal = Journal(self.ledger)
        self._caller = Caller(self.ledger, self._journal, self.budget, config, seed, base_delay_s)
        self._note = note
        self._cached: Counter[str] = Counter()
        self._failures: dict[str, Counter[str]] = {name: Counter() for name in names}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._is_closed = False

    @property
    def names(self) -> list[str]:
        """The models' names, in the configuration's order."""
        return list(self._endpoints)

    def complete_many(self, requests: Sequence[Request], progress: Progress | None = None) -> list[Outcome]:
        """Answer every request, in order; what arrived once is never asked for again.

        Args:
            requests: questions; equal ones are asked once.
            progress: called with (answered, distinct questions), from another thread.

        Returns:
            A completion, or a failure with its kind, for each request.

        Raises:
            UserError: an endpoint is unknown, or a key's variable is not set.
            ProviderError: a server cannot be reached, or refuses this key or model; what had arrived is kept.
            StoreError: the ledger cannot be written.
        """
        keys = [self._key(request) for request in requests]
        distinct = dict(zip(keys, requests, strict=True))
        found = self._from_cache(distinct)
        self._cached.update(distinct[key].endpoint for key in found)
        missing = {key: request for key, request in distinct.items() if key not in found}
        if progress and distinct:
            progress(len(found), len(distinct))
        if missing:
            if self._note:
                self._note(self._estimate(missing, len(found)).text)
            found |= self._ask(missing, len(found), len(distinct), progress)
        for key, request in distinct.items():
            outcome = found[key]
            if isinstance(outcome, Failure):
                self._failures[request.endpoint][outcome.kind] += 1
        return [found[key] for key in keys]

    def estimate(self, requests: Sequence[Request]) -> Estimate:
        """Return how many requests are answered already, and what the others will use; nothing is sent."""
        distinct = {self._key(request): request for request in requests}
        found = self._from_cache(distinct)
        return self._estimate({key: request for key, request in distinct.items() if key not in found}, len(found))

    def usage(self) -> list[ModelUsage]:
        """Return each model's calls, tokens and cost, in the configuration's order."""
        states, estimated = self.ledger.by_endpoint(), self.ledger.estimated()
        return [self._usage_of(name, states.get(name, {}), estimated.get(name, 0)) for name in self._endpoints]

    def close(self) -> None:
        """Stop the embedded server, close connections and files; calling it again does nothing."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._loop is not None and self._thread is not None:
            self._run(self._close_all())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
        self.ledger.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _key(self, request: Request) -> str:
        endpoint = self._endpoints.get(request.endpoint)
        if endpoint is None:
            raise UserError(f"no llm.endpoints entry is named '{request.endpoint}'; known: {', '.join(self._endpoints)}")
        return endpoint.key(request, with_schema=endpoint.config.json_schema)

    def _from_cache(self, distinct: dict[str, Request]) -> dict[str, Outcome]:
        """Return what is answered already; where a server refuses schemas, under the request without one too."""
        without = {
            name: endpoint
            for name, endpoint in self._endpoints.items()
            if endpoint.config.json_schema and self.ledger.refuses_schema(endpoint.address, endpoint.model)
        }
        found: dict[str, Outcome] = {}
        for key, request in distinct.items():
            stored = self.ledger.response(key)
            if stored is None and request.schema is not None and request.endpoint in without:
                stored = self.ledger.response(without[request.endpoint].key(request, with_schema=False))
            if stored is not None:
                found[key] = read_response(stored.body, problem=stored.problem, cached=True).outcome
        return found

    def _estimate(self, missing: dict[str, Request], cached: int) -> Estimate:
        configs = {name: endpoint.config for name, endpoint in self._endpoints.items()}
        return estimate_of(list(missing.values()), configs, self.budget, cached)

    def _ask(self, missing: dict[str, Request], done: int, total: int, progress: Progress | None) -> dict[str, Outcome]:
        questions = [
            Question(key=key, request=request, endpoint=self._endpoints[request.endpoint]) for key, request in missing.items()
        ]

        def advance(answered: int) -> None:
            if progress:
                progress(done + answered, total)

        return self._run(self._caller.ask(questions, advance))

    def _usage_of(self, name: str, states: dict[str, Spent], estimated: int) -> ModelUsage:
        total = Spent()
        for state, used in states.items():
            if state != "not sent":
                total = total.plus(used)
        return ModelUsage(
            model=name,
            calls=total.calls,
            cached=self._cached[name],
            prompt_tokens=total.prompt_tokens,
            completion_tokens=total.completion_tokens,
            cost=total.cost,
            unknown=states.get("unknown", Spent()).calls,
            rejected=states.get("rejected", Spent()).calls,
            estimated=estimated,
            failures=dict(self._failures[name]),
        )

    async def _close_all(self) -> None:
        await self._journal.close()
        for endpoint in self._endpoints.values():
            await endpoint.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the group's own loop: connections outlive a call, and a notebook's loop is not in the way."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._loop.run_forever, name="goldsmith-llm", daemon=True)
            self._thread.start()
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            # Ctrl-C: the calls in flight are cancelled and written down before anything else happens.
            future.cancel()
            concurrent.futures.wait([future], timeout=5.0)
            raise
