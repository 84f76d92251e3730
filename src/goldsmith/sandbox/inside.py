"""What is tried from within before any model's code is run: each protection must hold against a program that tries it.

This file is run inside the sandbox, as a program, with a line behind it that calls `attempts`; so it imports nothing of Goldsmith.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable


def attempts(port: int, secret: str, outside: int, processes: int, memory: int, disk: int) -> dict[str, bool]:
    """Return, for each protection, whether it held.

    Args:
        port: on which somebody outside listens.
        secret: path of a file outside that everybody may read.
        outside: number of a process outside.
        processes: limit of processes.
        memory: limit of memory, in bytes.
        disk: limit of files, in bytes.
    """
    with open("/proc/self/status", encoding="utf-8") as file:
        status = {name: value.strip() for name, value in (line.split(":", 1) for line in file)}
    hidden = [secret, f"/proc/1/root{secret}", "/etc/passwd", "/etc/shadow", "/root", "/home", "/sys"]
    elsewhere = ["/usr/bin/x", "/usr/lib/x", "/x", "/dev/x", "/code/x", "/etc/x"]
    numbers = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    with open("/proc/net/dev", encoding="utf-8") as file:
        names = [line.split(":")[0].strip() for line in file if ":" in line]
    return {
        "network": _refused(lambda: socket.create_connection(("127.0.0.1", port), timeout=2)) and names == ["lo"],
        "files": not any(map(os.path.exists, hidden)),
        "read-only": not any(map(_can_write, elsewhere)) and _can_write("/tmp/x"),
        # bubblewrap's own process inside is the same user's, and has no limits.
        "first-process": _refused(lambda: open("/proc/1/mem", "r+b").close()),
        "processes": len(numbers) < 8 and _refused(lambda: os.kill(outside, 0)),
        "privileges": not any(int(status[name], 16) for name in ("CapEff", "CapPrm", "CapAmb")) and status["NoNewPrivs"] == "1",
        "system-calls": status["Seccomp"] == "2"
        and _refused(lambda: os.memfd_create("x"))
        and _refused(lambda: socket.socket(40)),
        "process-limit": _bomb_held(processes),
        "memory-limit": _refused(lambda: bytearray(2 * memory), MemoryError),
        "file-limit": _refused(lambda: _write("/tmp/big", 2 * disk)),
    }


def _refused(action: Callable[[], object], error: type[Exception] = OSError) -> bool:
    try:
        action()
    except error:
        return True
    return False


def _can_write(path: str) -> bool:
    return not _refused(lambda: _write(path, 1))


def _write(path: str, num_bytes: int) -> None:
    with open(path, "wb") as file:
        for start in range(0, num_bytes, 1 << 16):
            file.write(bytes(min(1 << 16, num_bytes - start)))


def _bomb_held(processes: int) -> bool:
    """Whether starting processes without end came to one; few are started where it does not."""
    children: list[int] = []
    try:
        while len(children) < 2 * processes:
            child = os.fork()
            if child == 0:
                signal.pause()
            children.append(child)
        return False
    except OSError:
        return len(children) > 0
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
