"""Which process a call belongs to, and whether that process still lives."""

from __future__ import annotations

import os
import socket
from pathlib import Path


def this_owner() -> str:
    """Return the name of this process."""
    return _owner(os.getpid())


def is_alive(owner: str) -> bool:
    """Tell whether the process of that name may still be running; another machine's cannot be looked up, and may."""
    host, process, _ = owner.rsplit(":", 2)
    if host != socket.gethostname():
        return True
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return _owner(int(process)) == owner


def _owner(process: int) -> str:
    """Name a process so that a later one with the same number is not taken for it: host, number, start."""
    return f"{socket.gethostname()}:{process}:{_started(process)}"


def _started(process: int) -> str:
    try:
        stat = Path(f"/proc/{process}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return "?"
    # The name in parentheses may hold spaces; the start time is field 22, the 20th after it.
    return stat.rpartition(")")[2].split()[19]
