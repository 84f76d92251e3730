"""How many programs run at once: few, since pages and votes come first; the others wait, and not for ever."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from goldsmith.errors import GoldsmithError


class SandboxBusy(GoldsmithError):
    """Too many programs wait already; the program has not run."""


class Turns:
    """Turns of one process.

    Args:
        at_once: programs that run at once; 0: half of the processor's cores.
    """

    def __init__(self, at_once: int) -> None:
        self.at_once = at_once or max(1, (os.cpu_count() or 1) // 2)
        self._free = threading.BoundedSemaphore(self.at_once)

    @contextmanager
    def turn(self, wait_s: float) -> Iterator[None]:
        """Wait for a turn, at most `wait_s` seconds.

        Raises:
            SandboxBusy: none came.
        """
        if not self._free.acquire(timeout=wait_s):
            raise SandboxBusy(
                f"{self.at_once} programs run already and no turn came within {wait_s:g} s; try again, or raise sandbox.at_once"
            )
        try:
            yield
        finally:
            self._free.release()


_turns: dict[int, Turns] = {}
_lock = threading.Lock()


def turns(at_once: int) -> Turns:
    """Return this process's turns; callers with the same setting share them."""
    with _lock:
        if at_once not in _turns:
            _turns[at_once] = Turns(at_once)
        return _turns[at_once]
