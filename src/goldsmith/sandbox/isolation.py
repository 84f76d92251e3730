"""What a program sees of the machine, as arguments of bubblewrap.

Its namespaces are its own, so that there is no network (not even the machine's loopback), no other process and no shared memory
of others. Its files are the system's programs and libraries, read-only and by name: `/usr/src`, `/etc`, `/home`, `/srv` and
whatever else a machine has do not exist. `/tmp` and `/dev/shm` are in memory, of limited size; all else is read-only.
So is `/proc`: bubblewrap's own process inside is the program's user too and has no limits, and who writes into its memory is it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from goldsmith.sandbox.limits import Limits

NAMESPACES = (
    "--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try",
)  # fmt: skip
INSIDE_UID = "65534"
SYSTEM = (
    "/usr/bin",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/libx32",
    "/usr/local/bin",
    "/usr/local/lib",
    "/usr/local/lib64",
)
"""Where programs and libraries are."""
DATA = ("/usr/share/nodejs", "/usr/share/zoneinfo", "/etc/ld.so.cache", "/etc/alternatives")
"""What they read while they start: parts of Debian's Node.js, time zones, where libraries and chosen versions are."""
ROOT_FOLDERS = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
CODE = "/code"
SCRATCH = "/tmp"
ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": SCRATCH,
    "TMPDIR": SCRATCH,
    "LANG": "C.UTF-8",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
PROC = ("--proc", "/proc", "--remount-ro", "/proc")
PARTS = ("bin", "lib", "lib64", "pyvenv.cfg")
"""What an interpreter outside the system's folders needs of its installation."""


def files(extra: Sequence[str] = ()) -> list[str]:
    """Return the system's files.

    Args:
        extra: files and folders outside `/usr` that the language's own program needs.
    """
    found = []
    for folder in (*SYSTEM, *DATA, *extra):
        found += ["--ro-bind-try", folder, folder]
    for folder in ROOT_FOLDERS:
        path = Path(folder)
        if path.is_symlink():
            found += ["--symlink", str(path.readlink()), folder]
        elif path.is_dir():
            found += ["--ro-bind", folder, folder]
    return found


def scratch(limits: Limits) -> list[str]:
    """Return the places a program may write to, each of limited size, and make everything else read-only."""
    size = ["--perms", "0700", "--size", str(limits.disk_bytes), "--tmpfs"]
    return ["--dev", "/dev", *size, "/dev/shm", "--remount-ro", "/dev", *size, SCRATCH, "--chdir", SCRATCH, "--remount-ro", "/"]


def arguments(limits: Limits, code: Sequence[str], extra: Sequence[str] = ()) -> list[str]:
    """Return the arguments that isolate one program, without bubblewrap's own name and without the command.

    Args:
        limits: of the run.
        code: arguments that put the program's file in place.
        extra: files and folders outside `/usr` that the language's own program needs.
    """
    return [
        *NAMESPACES,
        "--die-with-parent",
        *("--uid", INSIDE_UID, "--gid", INSIDE_UID, "--hostname", "sandbox"),
        *files(extra),
        *PROC,
        *code,
        *scratch(limits),
    ]


def parts_of(program: str) -> list[str]:
    """Return what has to be shown for a program outside the system's own: the parts of its installation, which may be somebody's home."""
    resolved = Path(program).resolve()
    if any(resolved.is_relative_to(folder) for folder in (*SYSTEM, *ROOT_FOLDERS)):
        return []
    shown: list[str] = []
    for path in (resolved, Path(program)):
        shown += [str(path.parent.parent / part) for part in PARTS] if path.parent.name == "bin" else [str(path)]
    return list(dict.fromkeys(shown))
