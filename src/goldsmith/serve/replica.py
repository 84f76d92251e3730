"""The server's side of one worker process: starts it, sends it batches, notices when it dies or hangs."""

from __future__ import annotations

import asyncio
import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from multiprocessing.context import ForkServerContext
from typing import Any

from goldsmith.errors import GoldsmithError, UserError
from goldsmith.reward.checkpoint import FileState
from goldsmith.serve import worker
from goldsmith.serve.engines import EngineSpec
from goldsmith.serve.share import Ids


class WorkerLost(GoldsmithError):
    """A worker process died or was given up while it computed; what it was computing has no score."""


class Replica:
    """One worker process.

    Attributes:
        facts: what its engine says of itself, once started.
    """

    def __init__(self, spec: EngineSpec) -> None:
        """Name what to load; `start` loads it."""
        self.facts: dict[str, Any] = {}
        self._spec = spec
        self._digests: dict[FileState, str] = {}
        self._process: Any = None
        self._pipe: Any = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="replica")

    @property
    def pid(self) -> int | None:
        """The process, None when there is none."""
        return None if self._process is None else self._process.pid

    async def start(self, timeout_s: float) -> None:
        """Start the process and wait until its engine is loaded and checked.

        Raises:
            UserError: the model cannot be used.
            WorkerLost: the process died, or took longer.
        """
        found = await self._in_thread(self._start, timeout_s)
        if isinstance(found, worker.Failed):
            self._end()
            raise (UserError if found.is_user_error else WorkerLost)(found.message)
        self.facts, self._digests = found.facts, found.digests
        # What comes back has the digest of what was checked, so two texts are enough to see that it computes.
        self._spec = replace(self._spec, is_checked=True)

    async def compute(self, sequences: list[Ids], timeout_s: float) -> worker.Answer:
        """Return the logits of a batch.

        Raises:
            WorkerLost: the process died, failed, or took longer; it is gone and must be started again.
        """
        found = await self._in_thread(self._ask, sequences, timeout_s)
        if isinstance(found, worker.Failed):
            self._end()
            raise WorkerLost(found.message)
        assert isinstance(found, worker.Answer)
        assert len(found.logits) == len(sequences)
        return found

    async def gone(self) -> None:
        """Return when the process has ended, by whatever; not to be called while it starts or computes."""
        if self._process is None:
            return
        loop, sentinel = asyncio.get_running_loop(), self._process.sentinel
        ended: asyncio.Future[None] = loop.create_future()

        def end() -> None:
            if not ended.done():
                ended.set_result(None)

        loop.add_reader(sentinel, end)
        try:
            await ended
        finally:
            loop.remove_reader(sentinel)

    async def stop(self) -> None:
        """End the process, which finishes nothing any more."""
        await self._in_thread(self._end)
        self._thread.shutdown(wait=False)

    async def _in_thread(self, function: Any, *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)

    def _start(self, timeout_s: float) -> Any:
        self._end()
        context = _context()
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=worker.main, args=(theirs, self._spec, self._digests), daemon=True, name="goldsmith-worker"
        )
        try:
            self._process.start()
        except (OSError, EOFError) as error:
            # The process that workers are forked from was killed; the next try starts another one.
            self._process = None
            raise WorkerLost(f"a worker cannot be started ({type(error).__name__}: {error})") from None
        finally:
            theirs.close()
        return self._receive(timeout_s, "loading the model")

    def _ask(self, sequences: list[Ids], timeout_s: float) -> Any:
        if self._pipe is None:
            raise WorkerLost("the worker is not running")
        try:
            self._pipe.send(sequences)
        except OSError:
            raise self._lost("before it took a batch") from None
        return self._receive(timeout_s, "computing a batch")

    def _receive(self, timeout_s: float, doing: str) -> Any:
        try:
            if self._pipe.poll(timeout_s):
                return self._pipe.recv()
        except (EOFError, OSError):
            raise self._lost(f"while {doing}") from None
        self._end()
        raise WorkerLost(f"a worker took more than {timeout_s:g} s {doing}, and was ended")

    def _lost(self, when: str) -> WorkerLost:
        process = self._process
        process.join(1)
        self._end()
        return WorkerLost(f"a worker died {when} (exit code {process.exitcode})")

    def _end(self) -> None:
        if self._pipe is not None:
            self._pipe.close()
        if self._process is not None:
            self._process.kill()
            self._process.join()
        self._pipe = self._process = None


def _context() -> ForkServerContext:
    """Return the way workers are started: forked from a process that has imported torch and computed nothing."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["goldsmith.serve.preload"])
    return context
