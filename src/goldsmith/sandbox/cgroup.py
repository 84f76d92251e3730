"""A control group for each run, where this process may make one: the kernel then holds all processes of a run together.

It comes on top of the limits of each process and of the watch, which hold without it. Version 2 wherever the controllers are
there; version 1 otherwise. Whoever runs Goldsmith as a service of systemd gets one with `Delegate=yes`.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from goldsmith.sandbox.limits import Limits

ROOT = Path("/sys/fs/cgroup")
PREFIX = "goldsmith-sandbox"
_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Group:
    """The folders of one run's group: one in version 2, one for each controller in version 1."""

    folders: tuple[Path, ...]

    def add(self, pid: int) -> bool:
        """Take a process, and whatever it will start, into the group; returns whether the kernel agreed."""
        try:
            for folder in self.folders:
                (folder / "cgroup.procs").write_text(str(pid), encoding="ascii")
        except OSError:
            return False
        return True

    def ran_out_of_memory(self) -> bool:
        """Return whether the kernel killed a process of the group for its memory."""
        for folder in self.folders:
            for name in ("memory.events", "memory.oom_control"):
                with suppress(OSError):
                    words = dict(
                        line.split()[:2] for line in (folder / name).read_text(encoding="ascii").splitlines() if " " in line
                    )
                    if int(words.get("oom_kill", 0)):
                        return True
        return False

    def remove(self) -> None:
        """Take the group away; its processes are gone or going."""
        for folder in self.folders:
            for _attempt in range(50):
                try:
                    folder.rmdir()
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.01)
                else:
                    break


def make_group(limits: Limits, root: Path = ROOT) -> Group | None:
    """Return a new group with the limits set, or None where there can be none."""
    name = f"{PREFIX}-{os.getpid()}-{next(_numbers)}"
    return _version_2(limits, root, name) or _version_1(limits, root, name)


def _version_2(limits: Limits, root: Path, name: str) -> Group | None:
    own = _own_path("")
    for parent in (root / own, (root / own).parent, root):
        try:
            controllers = (parent / "cgroup.subtree_control").read_text(encoding="ascii").split()
        except OSError:
            continue
        if parent.is_relative_to(root) and {"memory", "pids"} <= set(controllers):
            values = {"memory.max": limits.memory_bytes, "pids.max": limits.processes, "memory.oom.group": 1}
            made = _made([parent / name], [values])
            if made is not None:
                with suppress(OSError):  # without swap there is no such file
                    (made.folders[0] / "memory.swap.max").write_text("0", encoding="ascii")
                return made
    return None


def _version_1(limits: Limits, root: Path, name: str) -> Group | None:
    folders = [root / controller / _own_path(controller) / name for controller in ("memory", "pids")]
    values = [{"memory.limit_in_bytes": limits.memory_bytes}, {"pids.max": limits.processes}]
    made = _made(folders, values)
    if made is not None:
        with suppress(OSError):  # kernels that do not count swap have no such file
            (made.folders[0] / "memory.memsw.limit_in_bytes").write_text(str(limits.memory_bytes), encoding="ascii")
    return made


def _made(folders: Sequence[Path], values: Sequence[dict[str, int]]) -> Group | None:
    group = Group(tuple(folders))
    try:
        for folder, settings in zip(folders, values, strict=True):
            _sweep(folder.parent)
            folder.mkdir()
            for name, value in settings.items():
                (folder / name).write_text(str(value), encoding="ascii")
    except OSError:
        for folder in folders:
            with suppress(OSError):
                folder.rmdir()
        return None
    return group


def _sweep(parent: Path) -> None:
    """Remove groups of a Goldsmith that was killed: those without processes, of a process that is no more."""
    for folder in parent.glob(f"{PREFIX}-*"):
        owner = folder.name.removeprefix(f"{PREFIX}-").split("-")[0]
        if not Path("/proc", owner).exists():
            with suppress(OSError):
                folder.rmdir()


def _own_path(controller: str) -> str:
    """The place of this process in a hierarchy, without the leading slash; the unified one has the empty name."""
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
            _, controllers, path = line.split(":", 2)
            if controller in controllers.split(",") and not path.startswith("/.."):
                return path.lstrip("/")
    return ""
