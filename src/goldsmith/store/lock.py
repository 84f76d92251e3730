"""One writer per workspace: an advisory lock that the system releases when its holder dies, however it dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from goldsmith.errors import StoreError


@contextmanager
def exclusive(path: Path, what: str) -> Iterator[None]:
    """Hold the lock file `path` for the block.

    Args:
        path: the lock file. Only the lock on it counts; it stays on disk, or goes with the folder that its holder removes at the end.
        what: what is being locked, for the message.

    Raises:
        StoreError: another living process holds it (names its process id), or held it until now and removed it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode("ascii", "replace").strip() or "unknown"
            raise StoreError(
                f"{what} is in use by another Goldsmith process (id {holder}); wait until it ends, or stop it, then run again"
            ) from None
        # A lock on a removed file keeps nobody out: the next process makes another one of that name.
        if not path.exists() or path.stat().st_ino != os.fstat(descriptor).st_ino:
            raise StoreError(f"{what} was in use by another Goldsmith process, which has just ended; run the same command again")
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)
