"""What one run may use, and how the kernel is told."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from goldsmith.config.sandbox import SandboxConfig

MB = 1 << 20
KB = 1 << 10
OPEN_FILES = 128
SIGNALS = 1024
NICENESS = 10
"""A ninth of the processor's time where others want all of it: enough not to be stopped for time it never had."""
PRLIMIT = "/usr/bin/prlimit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of one run; `SandboxConfig` explains each.

    Attributes:
        wall_s: seconds by the clock.
        cpu_s: seconds of computing of each process.
        memory_bytes: of all processes together, files included.
        processes: processes and threads.
        disk_bytes: of all files.
        files: number of files.
        output_bytes: kept of each stream.
        most_output_bytes: of both streams, after which the program is stopped.
    """

    wall_s: float = 20.0
    cpu_s: int = 10
    memory_bytes: int = 512 * MB
    processes: int = 64
    disk_bytes: int = 64 * MB
    files: int = 10_000
    output_bytes: int = 100 * KB
    most_output_bytes: int = 64 * MB

    @classmethod
    def of(cls, config: SandboxConfig) -> Self:
        """Return the limits that a configuration sets."""
        return cls(
            wall_s=config.wall_s,
            cpu_s=config.cpu_s,
            memory_bytes=config.memory_mb * MB,
            processes=config.processes,
            disk_bytes=config.disk_mb * MB,
            files=config.files,
            output_bytes=config.output_kb * KB,
            most_output_bytes=config.most_output_mb * MB,
        )


def limited(command: Sequence[str], limits: Limits) -> list[str]:
    """Return a command that puts itself under the limits and then becomes `command`.

    It runs inside the run's own user namespace, since only there the number of processes counts from nought; and it is a
    command because whoever starts it may not be allowed to set the limits of another user's process.
    RLIMIT_DATA rather than RLIMIT_AS: Node.js reserves far more addresses than it uses. It counts private writable memory; what
    processes share is seen by the watch and by the control group alone.
    """
    return [PRLIMIT, *(f"--{name}={value}" for name, value in kernel_limits(limits).items()), "--", *command]


def kernel_limits(limits: Limits) -> dict[str, str]:
    """Return what each process is held to by the kernel itself, as prlimit(1) names and writes it."""
    return {
        # A program that is over its seconds is told with the first and killed with the second.
        "cpu": f"{limits.cpu_s}:{limits.cpu_s + 1}",
        "data": str(limits.memory_bytes),
        "nproc": str(limits.processes),
        "fsize": str(limits.disk_bytes),
        "nofile": str(OPEN_FILES),
        "core": "0",
        "memlock": "0",
        "msgqueue": "0",
        # Signals that wait count for the user, who may be the one that runs Goldsmith.
        "sigpending": str(SIGNALS),
        "rtprio": "0",
        "nice": "0",
    }


def step_back(pid: int) -> None:
    """Put a process, and whatever it will start, behind everything else that wants the processor."""
    if os.getpriority(os.PRIO_PROCESS, pid) < NICENESS:  # Goldsmith itself may stand far behind already
        os.setpriority(os.PRIO_PROCESS, pid, NICENESS)
    # Where each session has its share of the processor, niceness counts within the session only, and the session has its own.
    _write_if_there(pid, "autogroup", str(NICENESS))
    # When the machine runs out of memory, this goes first.
    _write_if_there(pid, "oom_score_adj", "1000")


def _write_if_there(pid: int, name: str, value: str) -> None:
    try:
        Path(f"/proc/{pid}/{name}").write_text(value, encoding="ascii")
    except OSError:
        return
