"""Starting one program: everything that holds it is in place before its first instruction.

bubblewrap makes the namespaces, names the first process in them, and waits; that process is put into its control group and
behind all others, and only then let go. It takes the limits upon itself, and becomes the program.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from goldsmith.errors import GoldsmithError
from goldsmith.sandbox import isolation
from goldsmith.sandbox import limits as limiting
from goldsmith.sandbox.account import Account
from goldsmith.sandbox.cgroup import Group, make_group
from goldsmith.sandbox.limits import Limits
from goldsmith.sandbox.syscalls import syscall_filter

START_S = 10.0
"""Seconds that bubblewrap has to make the namespaces."""


class SandboxFailure(GoldsmithError):
    """The sandbox itself could not be made; the program has not run."""


@dataclass(slots=True, kw_only=True)
class Running:
    """A program that runs, and what it takes to watch and to end it."""

    process: subprocess.Popen[bytes]
    inside: int
    """First process of the namespaces, by its number out here."""
    inside_fd: int
    group: Group | None
    word_fd: int
    """Where the tests' last line writes to."""
    began_s: float
    is_over: bool = field(default=False)

    def kill(self) -> None:
        """End every process of the run: those of its namespace die with the first one."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.inside_fd, signal.SIGKILL)
        with suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGKILL)  # not `Popen.kill`, which would take the exit status away from the watch

    def close(self) -> None:
        """End the run, if it has not ended, and give back what it held."""
        if not self.is_over:
            self.kill()
            self.process.wait()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        os.close(self.inside_fd)
        os.close(self.word_fd)
        if self.group is not None:
            self.group.remove()


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What is run.

    Attributes:
        text: the program; `{descriptor}` has been put into it already.
        file: its path inside.
        command: the command line.
        folders: shown beside the system's.
        word_out: the descriptor its tests write to.
    """

    text: str
    file: str
    command: Sequence[str]
    folders: Sequence[str] = ()
    word_out: int


def bubblewrap() -> str | None:
    """Return the path of bubblewrap, or None."""
    return shutil.which("bwrap", path=os.environ.get("PATH", "") + ":/usr/bin:/usr/local/bin")


def launch(program: Program, limits: Limits, account: Account, word_fd: int) -> Running:
    """Start a program; it runs when this returns.

    Raises:
        SandboxFailure: the namespaces could not be made, or the limits not set.
    """
    path = bubblewrap()
    if path is None:
        raise SandboxFailure("bubblewrap is not installed (apt-get install bubblewrap)")
    given = _Descriptors()
    group = make_group(limits)
    process, inside_fd = None, None
    try:
        code, rules = given.file(program.text.encode("utf-8", "replace")), given.file(syscall_filter())
        (info, info_out), (gate, gate_in) = given.pipe(), given.pipe(is_read=True)
        in_place = ["--perms", "0444", "--file", str(code), program.file]
        line = [path, *isolation.arguments(limits, in_place, program.folders)]
        line += [
            "--seccomp",
            str(rules),
            "--info-fd",
            str(info_out),
            "--block-fd",
            str(gate),
            "--",
            *limiting.limited(program.command, limits),
        ]
        process = subprocess.Popen(
            line,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=(code, rules, info_out, gate, program.word_out),
            env=isolation.ENVIRONMENT,
            cwd="/",
            start_new_session=True,
            bufsize=0,
            **account.popen_arguments(),
        )
        given.close(code, rules, info_out, gate)
        inside = _first_process(info, process)
        inside_fd = os.pidfd_open(inside)
        if group is not None and not group.add(inside):
            group.remove()
            group = None
        limiting.step_back(inside)
        running = Running(
            process=process, inside=inside, inside_fd=inside_fd, group=group, word_fd=word_fd, began_s=time.monotonic()
        )
        os.write(gate_in, b"1")
        return running
    except (OSError, SandboxFailure) as error:
        said = _undo(process, inside_fd, group)
        raise SandboxFailure(f"a sandbox could not be made: {said or error}") from error
    finally:
        given.close()


class _Descriptors:
    """Descriptors of one start; whatever happens, all are closed."""

    def __init__(self) -> None:
        self._open: set[int] = set()

    def file(self, content: bytes) -> int:
        """A file in memory, at its beginning."""
        descriptor = os.memfd_create("goldsmith-sandbox")
        self._open.add(descriptor)
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(content)
        os.lseek(descriptor, 0, os.SEEK_SET)
        return descriptor

    def pipe(self, is_read: bool = False) -> tuple[int, int]:
        """A pipe: (end to read, end to write)."""
        ends = os.pipe()
        self._open.update(ends)
        return ends

    def close(self, *descriptors: int) -> None:
        """Close these, or all that are open."""
        for descriptor in descriptors or tuple(self._open):
            os.close(descriptor)
            self._open.discard(descriptor)


def _first_process(info: int, process: subprocess.Popen[bytes]) -> int:
    """The number that bubblewrap tells of the first process inside."""
    told = b""
    end_s = time.monotonic() + START_S
    while (left_s := end_s - time.monotonic()) > 0:
        if not select.select([info], [], [], left_s)[0]:
            break
        part = os.read(info, 4096)
        told += part
        if not part:
            break
        with suppress(ValueError):
            return int(json.loads(told)["child-pid"])
    raise SandboxFailure("bubblewrap did not get as far as the first process")


def _undo(process: subprocess.Popen[bytes] | None, inside_fd: int | None, group: Group | None) -> str:
    """End what was begun; returns what bubblewrap said."""
    said = b""
    if inside_fd is not None:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(inside_fd, signal.SIGKILL)
        os.close(inside_fd)
    if process is not None:
        process.kill()
        process.wait()
        assert process.stdout is not None
        assert process.stderr is not None
        with process.stdout, process.stderr:
            os.set_blocking(process.stderr.fileno(), False)
            said = process.stderr.read(2000) or b""
    if group is not None:
        group.remove()
    return said.decode("utf-8", "replace").strip()
