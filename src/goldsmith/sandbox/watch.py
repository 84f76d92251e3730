"""Watching one program until it ends: its output is read and bounded, its time, memory and files are looked at many times a second.

The kernel holds single processes to their limits, and a control group, where there is one, all of them; the watch holds all of
them anywhere. Between two looks a run can take what the kernel can give it in `EVERY_S`.
"""

from __future__ import annotations

import os
import selectors
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from goldsmith.sandbox.launch import Running
from goldsmith.sandbox.limits import Limits
from goldsmith.sandbox.output import Capture
from goldsmith.sandbox.result import Ended

EVERY_S = 0.02
CHUNK = 1 << 16
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
WRITABLE = ("tmp", "dev/shm")
SOCKET_BYTES = 4 << 20
"""What the buffers of one socket may hold in the kernel, which counts it for nobody; seen with TCP that nobody reads: 3.7 MB."""


@dataclass(slots=True)
class Watched:
    """What the watch saw.

    Attributes:
        stdout: the program's output.
        stderr: its complaints.
        stopped: the limit it was stopped at, or None.
        status: as `os.waitpid` gives it.
        cpu_s: seconds of computing of all processes, as of the last look.
        peak_bytes: most memory seen in use.
        seconds: from the start to the end.
    """

    stdout: Capture
    stderr: Capture
    stopped: Ended | None = None
    status: int = 0
    cpu_s: float = 0.0
    peak_bytes: int = 0
    seconds: float = 0.0


def watch(running: Running, limits: Limits) -> Watched:
    """Return what a program did, once it and everything it started is gone."""
    seen = Watched(Capture(limits.output_bytes), Capture(limits.output_bytes))
    stdout, stderr = running.process.stdout, running.process.stderr
    assert stdout is not None
    assert stderr is not None
    end = os.pidfd_open(running.process.pid)
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(stdout.fileno(), selectors.EVENT_READ, seen.stdout)
            selector.register(stderr.fileno(), selectors.EVENT_READ, seen.stderr)
            selector.register(end, selectors.EVENT_READ, None)
            _until_over(selector, running, limits, seen)
    finally:
        os.close(end)
    _, seen.status = os.waitpid(running.process.pid, 0)
    running.process.returncode = os.waitstatus_to_exitcode(seen.status)
    running.is_over = True
    if seen.stopped is None and running.group is not None and running.group.ran_out_of_memory():
        seen.stopped = "memory"
    return seen


def _until_over(selector: selectors.BaseSelector, running: Running, limits: Limits, seen: Watched) -> None:
    """Read and look until bubblewrap is gone, and with it every process inside; then read what is left in the pipes."""
    is_over, look_s = False, 0.0
    while not is_over:
        for key, _ in selector.select(timeout=EVERY_S):
            if key.data is None:
                is_over = True
            elif not _read(key.fd, key.data):
                selector.unregister(key.fd)
        now_s = time.monotonic()
        seen.seconds = now_s - running.began_s
        if seen.stopped is None and not is_over and (stop := _due(running, limits, seen, now_s >= look_s)) is not None:
            seen.stopped = stop
            running.kill()
        if now_s >= look_s:
            look_s = now_s + EVERY_S
    running.kill()
    for key in [key for key in selector.get_map().values() if key.data is not None]:
        while _read(key.fd, key.data):
            pass


def _read(descriptor: int, capture: Capture) -> bool:
    data = os.read(descriptor, CHUNK)
    capture.add(data)
    return bool(data)


def _due(running: Running, limits: Limits, seen: Watched, is_time_to_look: bool) -> Ended | None:
    """The limit that a program is over, if any."""
    if seen.stdout.num_bytes + seen.stderr.num_bytes > limits.most_output_bytes:
        return "output"
    if seen.seconds > limits.wall_s:
        return "time"
    if not is_time_to_look:
        return None
    if running.group is not None and running.group.ran_out_of_memory():
        # The kernel killed one process, and the others may wait for it for ever.
        return "memory"
    used_bytes, num_files = _files(running.inside)
    if num_files > limits.files:
        return "files"
    pids = _processes(running.inside)
    seen.cpu_s = max(seen.cpu_s, sum(map(_computed, pids)))
    memory = [_resident(pid) for pid in pids]
    in_use = used_bytes + sum(each.resident + each.tables for each in memory)
    buffers = SOCKET_BYTES * _sockets(running.inside)
    if in_use + buffers > limits.memory_bytes:
        # Pages that several processes share have been counted for each; the exact figure costs more.
        in_use = used_bytes + sum(_proportional(pid, each.resident) + each.tables for pid, each in zip(pids, memory, strict=True))
    seen.peak_bytes = max(seen.peak_bytes, in_use, *(each.most for each in memory))
    return "memory" if in_use + buffers > limits.memory_bytes else None


def _processes(first: int) -> list[int]:
    """Every process under the first one inside: one whose parent has gone belongs to the first."""
    found, left = [], [first]
    while left:
        pid = left.pop()
        found.append(pid)
        with suppress(OSError):
            for task in os.listdir(f"/proc/{pid}/task"):
                left += map(int, Path(f"/proc/{pid}/task/{task}/children").read_text(encoding="ascii").split())
    return found


def _computed(pid: int) -> float:
    """Seconds of computing of a process and of its children that it has waited for."""
    with suppress(OSError, ValueError, IndexError):
        behind_name = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return sum(map(int, behind_name[11:15])) / TICKS_PER_S
    return 0.0


class _Memory(NamedTuple):
    """Bytes of one process: of memory now, the most it ever had, and of the tables that tell the processor where its memory is."""

    resident: int = 0
    most: int = 0
    tables: int = 0


def _resident(pid: int) -> _Memory:
    """The memory of a process, as the kernel keeps it; a program may have many tables for little memory."""
    found = {"VmRSS": 0, "VmHWM": 0, "VmPTE": 0}
    with suppress(OSError, ValueError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name in found:
                found[name] = int(value.split()[0]) << 10
    return _Memory(found["VmRSS"], found["VmHWM"], found["VmPTE"])


def _proportional(pid: int, resident: int) -> int:
    """Bytes of memory of a process, each shared page divided among those that share it; all that it has where the kernel does not tell."""
    with suppress(OSError, ValueError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) << 10
    return resident if Path(f"/proc/{pid}").exists() else 0


def _sockets(inside: int) -> int:
    """Number of sockets of a run: its network namespace is its own."""
    if _is_another(inside, "ns/net"):
        with suppress(OSError, ValueError, IndexError):
            return int(Path(f"/proc/{inside}/net/sockstat").read_text(encoding="ascii").split()[2])
    return 0


def _files(inside: int) -> tuple[int, int]:
    """Bytes and number of the files that a run has made."""
    used = number = 0
    for place in WRITABLE if _is_another(inside, "root") else ():
        with suppress(OSError):
            found = os.statvfs(f"/proc/{inside}/root/{place}")
            used += (found.f_blocks - found.f_bfree) * found.f_frsize
            number += found.f_files - found.f_ffree
    return used, number


def _is_another(inside: int, name: str) -> bool:
    """Whether the first process has a root folder or a namespace of its own; until bubblewrap has made them, they are this machine's."""
    with suppress(OSError):
        return not os.path.samefile(f"/proc/{inside}/{name}", f"/proc/self/{name}")
    return False
