"""A replica in the test's own process: the same engine and the same batches, without the seconds that a worker process takes."""

from __future__ import annotations

import asyncio
import time
from typing import Any, ClassVar

from goldsmith.serve import worker
from goldsmith.serve.engines import Engine, EngineSpec, open_engine
from goldsmith.serve.share import Ids


class LocalReplica:
    """Stands in for `goldsmith.serve.replica.Replica`.

    Attributes:
        delay_s: how long every batch takes besides.
        batches: what it was given.
    """

    delay_s = 0.0
    batches: ClassVar[list[list[Ids]]] = []

    def __init__(self, spec: EngineSpec) -> None:
        self.facts: dict[str, Any] = {}
        self.pid = None
        self._spec = spec
        self._engine: Engine | None = None

    async def start(self, timeout_s: float) -> None:
        self._engine = await asyncio.to_thread(open_engine, self._spec)
        self.facts = self._engine.facts

    async def compute(self, sequences: list[Ids], timeout_s: float) -> worker.Answer:
        self.batches.append(sequences)
        return await asyncio.to_thread(self._compute, sequences)

    async def gone(self) -> None:
        await asyncio.Event().wait()

    async def stop(self) -> None:
        self._engine = None

    def _compute(self, sequences: list[Ids]) -> worker.Answer:
        time.sleep(self.delay_s)
        return worker._answer(self._engine, sequences)
