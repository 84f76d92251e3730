"""Contenders in processes of their own that make one step when told to, so that steps of all of them alternate."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import multiprocessing
import resource
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import psutil

GIB = 1 << 30
LOW_MEMORY = 4 * GIB
"""Available bytes below which a contender gives back what a step has freed."""


class Gate:
    """The contender's end: waits for the word before each step, and reports when it is done."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.begun = 0.0
        self.is_over = False

    def wait(self) -> None:
        """Hold until the next step, or until the race is over: what a contender does after its last step would slow the others' down."""
        self.is_over = self.connection.recv() == "over"
        self.begun = time.perf_counter()

    def done(self, result: Any = None) -> None:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / GIB
        seconds = time.perf_counter() - self.begun
        if psutil.virtual_memory().available < LOW_MEMORY:
            give_back_memory()
        self.connection.send((seconds, result, peak))


def give_back_memory() -> None:
    """Return what a step has freed to the system, where contenders that each keep the peak of a step do not fit beside each other.

    Nobody who trains does that, and taking the pages anew costs up to half of a bfloat16 step: so it is for want of memory alone.
    """
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


class Contender:
    """The parent's end."""

    def __init__(self, name: str, target: Callable[..., None], *arguments: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self.name, self.seconds, self.results, self.peak = name, list[float](), list[Any](), 0.0
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_run, args=(target, theirs, arguments), daemon=True)
        self.process.start()
        theirs.close()

    def step(self) -> float:
        """Make one step and return its seconds."""
        self.connection.send("step")
        try:
            seconds, result, self.peak = self.connection.recv()
        except EOFError:
            raise SystemExit(f"FAILED: {self.name} ended in the middle of a step; see its error above") from None
        self.seconds.append(seconds)
        self.results.append(result)
        return float(seconds)

    def close(self, wait: float = 0.0) -> None:
        with contextlib.suppress(OSError):
            self.connection.send("over")
        self.process.join(wait)
        if self.process.is_alive():
            self.process.terminate()
            self.process.join()


def _run(target: Callable[..., None], connection: Connection, arguments: tuple[Any, ...]) -> None:
    gate = Gate(connection)
    target(gate, *arguments)
    if not gate.is_over:
        gate.wait()
