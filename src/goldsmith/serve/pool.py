"""One version of one served model: its rendering, its queue and its workers, which are started again when they die."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from goldsmith.config.serve import ServeConfig
from goldsmith.errors import GoldsmithError
from goldsmith.reward.calibration import Calibration
from goldsmith.serve.batcher import Batcher, Waiting
from goldsmith.serve.engines import EngineSpec
from goldsmith.serve.metrics import Metrics
from goldsmith.serve.problem import unavailable
from goldsmith.serve.rendering import Rendering
from goldsmith.serve.replica import Replica, WorkerLost
from goldsmith.wire.goldsmith import ModelFacts

LOG = logging.getLogger("goldsmith.serve")
RESTART_S, LONGEST_RESTART_S = 0.1, 30.0


class ModelPool:
    """A model that answers.

    Attributes:
        name: under which requests ask for it.
        rendering: items to token ids.
        batcher: its queue.
    """

    batcher: Batcher

    def __init__(self, name: str, path: str | Path, config: ServeConfig, metrics: Metrics, rendering: Rendering) -> None:
        """Hold what `open` made."""
        self.name, self.path, self.rendering = name, str(path), rendering
        self._config, self._metrics = config, metrics
        threads = config.threads or max(1, (os.cpu_count() or 1) // config.replicas)
        spec = EngineSpec(
            engine=config.engine,
            path=str(rendering.folder),
            dtype=config.dtype,
            max_length=config.max_length,
            pooling=config.pooling,
            threads=threads,
            token_budget=config.token_budget,
            prefix_cache_mb=config.prefix_cache_mb,
            remote_code=tuple(config.remote_code),
        )
        self._replicas = [Replica(spec) for _ in range(config.replicas)]
        self._alive: set[Replica] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._users = 0
        self._unused = asyncio.Event()
        self._unused.set()
        self.facts: dict[str, object] = {}

    @classmethod
    async def open(cls, name: str, path: str | Path, config: ServeConfig, metrics: Metrics) -> ModelPool:
        """Load a model into all its workers.

        Raises:
            UserError: it cannot be used.
        """
        rendering = await asyncio.to_thread(
            Rendering, path, max_length=config.max_length, pooling=config.pooling, remote_code=config.remote_code
        )
        pool = cls(name, path, config, metrics, rendering)
        try:
            await asyncio.gather(*(replica.start(config.start_timeout_s) for replica in pool._replicas))
            rendering.refuse_changed()
        except BaseException:
            await asyncio.gather(*(replica.stop() for replica in pool._replicas), return_exceptions=True)
            rendering.close()
            raise
        pool.facts = dict(pool._replicas[0].facts)
        pool.batcher = Batcher(config, int(str(pool.facts["token_budget"])), shares=bool(pool.facts["shares"]))
        pool._alive = set(pool._replicas)
        pool._tasks = [asyncio.create_task(pool._work(replica)) for replica in pool._replicas]
        return pool

    @property
    def digest(self) -> str:
        """What decides the scores, as one name."""
        return str(self.facts["model_digest"])

    @property
    def calibration(self) -> Calibration:
        """How differences become probabilities."""
        return self.rendering.calibration

    @property
    def is_ready(self) -> bool:
        """At least one worker answers."""
        return bool(self._alive)

    @property
    def pids(self) -> list[int]:
        """Its workers' processes."""
        return [replica.pid for replica in self._replicas if replica.pid is not None]

    def describe(self) -> ModelFacts:
        """Return what clients may know of it."""
        return ModelFacts(
            name=self.name,
            digest=self.digest,
            max_length=self.rendering.max_length,
            dtype=str(self.facts["dtype"]),
            engine=str(self.facts["engine"]),
            replicas=len(self._alive),
            ready=self.is_ready,
            calibrated=self.calibration.is_fitted,
            heads=int(str(self.facts["heads"])),
            template_inserts=str(self.facts["template_inserts"]),
        )

    @contextmanager
    def using(self) -> Iterator[None]:
        """Keep it open while a request has still to queue its conversations, or waits for them."""
        self._users += 1
        self._unused.clear()
        try:
            yield
        finally:
            self._users -= 1
            if not self._users:
                self._unused.set()

    async def close(self) -> None:
        """Answer what it has, then end the workers."""
        await self._unused.wait()
        self.batcher.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.kill()

    async def kill(self) -> None:
        """End the workers at once; what waits is refused as retryable."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.batcher.fail_all(unavailable("stopping", "the server stops; try another one, or later"))
        self._alive.clear()
        await asyncio.gather(*(replica.stop() for replica in self._replicas))
        self.rendering.close()

    async def _work(self, replica: Replica) -> None:
        """Give batches to one worker until the queue is closed; bring the worker back when it is lost."""
        while (batch := await self._next(replica)) is None or batch:
            if batch is None or not await self._compute(replica, batch):
                self._alive.discard(replica)
                self._metrics.worker_lost(self.name)
                await self._restart(replica)

    async def _next(self, replica: Replica) -> list[Waiting] | None:
        """Return a batch, empty when the queue is done; None when the worker died while it had none, which costs nobody a request."""
        taking, dying = asyncio.ensure_future(self.batcher.take()), asyncio.ensure_future(replica.gone())
        try:
            await asyncio.wait({taking, dying}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            for item in taking.result() if taking.done() else []:
                item.answer.cancel()
            raise
        finally:
            dying.cancel()
            if not taking.done():
                taking.cancel()
        if taking.done() and not taking.cancelled():
            return taking.result()
        LOG.error("a worker died while it waited", extra={"event": "worker-lost", "model": self.name})
        return None

    async def _compute(self, replica: Replica, batch: list[Waiting]) -> bool:
        """Compute one batch; False when the worker was lost with it."""
        started = time.monotonic()
        self._metrics.batch_started(self.name, [started - item.since for item in batch], sum(len(item.ids) for item in batch))
        try:
            answer = await replica.compute([item.ids for item in batch], self._config.batch_timeout_s)
        except WorkerLost as error:
            LOG.error("%s", error, extra={"event": "worker-lost", "model": self.name})
            refusal = unavailable("worker-lost", "the worker that computed this request was lost; send the request again")
            for item in batch:
                if not item.answer.done():
                    item.answer.set_exception(refusal)
            return False
        except asyncio.CancelledError:
            for item in batch:
                item.answer.cancel()
            raise
        seconds = time.monotonic() - started
        self.batcher.measured(sum(len(item.ids) for item in batch) * max(1, len(self._alive)), seconds)
        self._metrics.batch_done(self.name, seconds, answer.computed, answer.reused)
        for item, logits in zip(batch, answer.logits, strict=True):
            if not item.answer.done():
                item.answer.set_result(logits)
        return True

    async def _restart(self, replica: Replica) -> None:
        """Try to start a worker until it is there, or nobody needs it any more."""
        delay_s = RESTART_S
        while not self.batcher.is_done:
            try:
                await replica.start(self._config.start_timeout_s)
                if replica.facts["model_digest"] == self.facts["model_digest"]:
                    self._alive.add(replica)
                    LOG.warning("a worker is back", extra={"event": "worker-back", "model": self.name})
                    return
                # The folder holds another model by now; only a reload may change which one answers.
                raise WorkerLost(
                    f"{self.path} has changed on disk since the server loaded it; reload it, or put the old files back"
                )
            except GoldsmithError as error:
                LOG.error("a worker does not come back: %s", error, extra={"event": "worker-restart-failed", "model": self.name})
                if not self._alive:
                    self.batcher.fail_all(unavailable("no-worker", "no worker is running; try again later", 2.0))
                await asyncio.sleep(delay_s)
                delay_s = min(2 * delay_s, LONGEST_RESTART_S)
