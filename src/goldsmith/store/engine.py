"""Where tables are computed: Daft, on this machine or on a Ray cluster, and never with its telemetry.

Heavy steps are functions from a small descriptor (which bytes of which file) to a small result, so the same code
runs in two local processes or on a cluster, and memory depends on the size of a chunk, not on that of the pool.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import orjson

from goldsmith.config.pool import EngineConfig
from goldsmith.errors import DataError, GoldsmithError, StoreError

TELEMETRY_OFF = {"DO_NOT_TRACK": "1", "DAFT_ANALYTICS_ENABLED": "0"}
"""Environment variables that must be set before Daft is imported."""

Chunk = dict[str, Any]
"""A JSON-able description of one unit of work, or its JSON-able result."""


def daft_module(engine: EngineConfig | None = None) -> Any:
    """Return the `daft` module with telemetry off and the configured runner selected.

    Raises:
        StoreError: Ray was asked for and is not installed, or another runner is already in use in this process.
    """
    os.environ.update(TELEMETRY_OFF)
    # Daft draws a bar of its own for every query; ours tells the user more.
    os.environ.setdefault("DAFT_PROGRESS_BAR", "0")
    import daft

    if engine is not None:
        _select_runner(daft, engine)
    return daft


def _select_runner(daft: Any, engine: EngineConfig) -> None:
    in_use = _selected.get("runner")
    if engine.runner == in_use:
        return
    if in_use is None and engine.runner == "native" and daft.get_or_infer_runner_type() == "native":
        # A query that ran before anybody chose has taken the native runner already; choosing it again is refused.
        _selected["runner"] = "native"
        return
    if in_use is not None:
        raise StoreError(f"engine.runner is {engine.runner!r} but this process already uses {in_use!r}; start a new process")
    try:
        if engine.runner == "ray":
            _start_ray(engine)
            daft.set_runner_ray(noop_if_initialized=True)
        else:
            daft.set_runner_native()
    except daft.exceptions.DaftCoreException as error:
        raise StoreError(
            f"engine.runner is {engine.runner!r} but Daft already runs otherwise here ({error}); start a new process"
        ) from None
    _selected["runner"] = engine.runner


_selected: dict[str, str] = {}
"""The runner this process uses: Daft allows the choice once."""


def _start_ray(engine: EngineConfig) -> None:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Ray's workers are very polite by default, and starve on a machine that does anything else.
    os.environ.setdefault("RAY_worker_niceness", "0")
    try:
        import ray
    except ImportError:
        raise StoreError("engine.runner is ray but ray is not installed; `pip install 'goldsmith[ray]'`") from None
    if not ray.is_initialized():
        num_cpus = None if engine.ray_address else engine.workers
        ray.init(address=engine.ray_address, num_cpus=num_cpus, include_dashboard=False, log_to_driver=False)


def num_workers(engine: EngineConfig) -> int:
    """Return how many worker processes to use: as configured, or one a core this process may use."""
    return engine.workers or len(os.sched_getaffinity(0))


def map_chunks(work: Callable[[Chunk], Chunk], chunks: Sequence[Chunk], engine: EngineConfig) -> Iterator[Chunk]:
    """Yield `work(chunk)` for each chunk as it finishes, in no particular order.

    Args:
        work: a module-level function; it runs in worker processes, or on the cluster.
        chunks: JSON-able descriptors.
        engine: runner and number of workers. A single chunk on the native runner is worked on here, without a process.

    Raises:
        GoldsmithError: the error that `work` raised, with its own message.
    """
    if not chunks:
        return
    if engine.runner == "native" and (len(chunks) == 1 or num_workers(engine) == 1):
        yield from map(work, chunks)
        return
    for row in _rows(_frame(work, chunks, engine), engine):
        result = orjson.loads(row["result"])
        if "error" in result:
            raise _ERRORS.get(result["error"], StoreError)(result["message"])
        yield result["value"]


def _rows(frame: Any, engine: EngineConfig) -> Iterator[Any]:
    try:
        yield from frame.iter_rows()
    except RuntimeError as error:
        # Daft has no type of its own for it; any other failure is a bug and keeps its traceback.
        if "UDF process" not in str(error):
            raise
        raise StoreError(
            f"one of {num_workers(engine)} worker processes was ended by the system, most likely for want of memory; "
            "nothing was committed. Run again with fewer: --set engine.workers=1"
        ) from error


_ERRORS: dict[str, type[GoldsmithError]] = {"DataError": DataError, "StoreError": StoreError}


def _frame(work: Callable[[Chunk], Chunk], chunks: Sequence[Chunk], engine: EngineConfig) -> Any:
    daft = daft_module(engine)
    workers = min(num_workers(engine), len(chunks))

    class Worker:
        """One process of the pool; Daft makes it once and sends it chunk after chunk."""

        def run(self, texts: Any) -> list[str]:
            return [guarded(work, text) for text in texts.to_pylist()]

    # One chunk at a time: the chunks are what balances the load.
    Worker.run = daft.method.batch(return_dtype=daft.DataType.string(), batch_size=1)(Worker.run)  # type: ignore[method-assign]
    worker = daft.cls(Worker, use_process=True, max_concurrency=workers)()
    frame = daft.from_pydict({"chunk": [orjson.dumps(chunk).decode() for chunk in chunks]})
    if engine.runner == "ray":
        frame = frame.into_partitions(len(chunks))
    return frame.select(worker.run(daft.col("chunk")).alias("result"))


def guarded(work: Callable[[Chunk], Chunk], text: str) -> str:
    """Return the result of `work`, or the user's error it raised, as JSON: exceptions lose their type between processes."""
    try:
        return orjson.dumps({"value": work(orjson.loads(text))}).decode()
    except GoldsmithError as error:
        return orjson.dumps({"error": type(error).__name__, "message": str(error)}).decode()
