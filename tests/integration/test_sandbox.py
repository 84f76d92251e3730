"""Programs that attack the machine they run on, for root and for an ordinary user: contained, and not contained once the protection that
the attack is named after is taken away. Every attack is bounded by itself, so that it does no harm where it succeeds."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from goldsmith.sandbox import execute, isolation, launch, watch
from goldsmith.sandbox import limits as limiting
from goldsmith.sandbox.account import Account, account_for
from goldsmith.sandbox.languages import LANGUAGES
from goldsmith.sandbox.limits import MB, Limits
from goldsmith.sandbox.syscalls import REFUSED
from sandboxed import USERS, as_user, require_sandbox, uid_of

DONE = "the attack succeeded"
SMALL = Limits(wall_s=60.0, cpu_s=60, memory_bytes=64 * MB, processes=16, disk_bytes=16 * MB, files=500, most_output_bytes=MB)
Patch = pytest.MonkeyPatch


@dataclass(frozen=True)
class World:
    """What there is outside: a file of the user's own (open, too), a folder anybody may write to, a process of the same user, a port that
    answers; `name` is the secret of all that is named, and of a variable of the environment."""

    user: str
    secret: Path
    folder: Path
    process: int
    port: int
    name: str
    descriptor: int


@dataclass(frozen=True)
class Attack:
    """A program, how it ends where it is contained, and how the protection against it is taken away."""

    name: str
    program: Callable[[World, bool], str]
    remove: Callable[[Patch, World], None]
    ended: str = "exit"
    limits: Limits = SMALL
    users: tuple[str, ...] = USERS
    notes: dict[str, Any] = field(default_factory=dict)


def _without_limit(*names: str) -> Callable[[Patch, World], None]:
    """Neither the kernel's limits of these names nor a control group."""

    def remove(patch: Patch, _world: World) -> None:
        kept = limiting.kernel_limits
        patch.setattr(
            limiting, "kernel_limits", lambda limits: {key: value for key, value in kept(limits).items() if key not in names}
        )
        patch.setattr(launch, "make_group", lambda _limits: None)

    return remove


def _without_watch_of_memory(patch: Patch, world: World) -> None:
    _without_limit("data")(patch, world)
    patch.setattr(watch, "_resident", lambda _pid: watch._Memory())


def _without_filter(patch: Patch, world: World) -> None:
    patch.setattr(launch, "syscall_filter", lambda: struct.pack("HBBI", 0x06, 0, 0, 0x7FFF0000))
    patch.setattr(launch, "make_group", lambda _limits: None)


def _without_namespace(name: str) -> Callable[[Patch, World], None]:
    return lambda patch, _world: patch.setattr(
        isolation, "NAMESPACES", tuple(given for given in isolation.NAMESPACES if given != name)
    )


def _with_processes_of_others(patch: Patch, world: World) -> None:
    _without_namespace("--unshare-pid")(patch, world)
    patch.setattr(isolation, "PROC", ("--ro-bind", "/proc", "/proc"))


def _with_files(path: Callable[[World], Path | str], option: str = "--ro-bind") -> Callable[[Patch, World], None]:
    def remove(patch: Patch, world: World) -> None:
        kept = isolation.files
        patch.setattr(isolation, "files", lambda extra=(): [*kept(extra), option, str(path(world)), str(path(world))])

    return remove


def _with_shadow_as_root(patch: Patch, world: World) -> None:
    _with_files(lambda _: "/etc")(patch, world)
    patch.setattr(sys.modules[__name__], "account_for", lambda _uid: Account(0, is_dropped=False))


def _without_size(patch: Patch, world: World) -> None:
    _without_limit("fsize")(patch, world)
    kept = isolation.scratch
    patch.setattr(watch, "_files", lambda _inside: (0, 0))
    patch.setattr(isolation, "scratch", lambda _limits: kept(Limits(disk_bytes=1 << 30)))


def _without_tables(patch: Patch, world: World) -> None:
    _without_limit()(patch, world)
    kept = watch._resident
    patch.setattr(watch, "_resident", lambda pid: kept(pid)._replace(tables=0))


def _with_started(more: Callable[[World, dict[str, Any]], dict[str, Any]]) -> Callable[[Patch, World], None]:
    """bubblewrap is started with other arguments of `Popen`."""

    def remove(patch: Patch, world: World) -> None:
        kept = subprocess.Popen
        patch.setattr(launch.subprocess, "Popen", lambda line, **given: kept(line, **(given | more(world, given))))

    return remove


def _line_to_read(line: str) -> int:
    out, into = os.pipe()
    os.write(into, f"{line}\n".encode())
    os.close(into)
    return out


def _with_more(**more: Any) -> Callable[[Patch, World], None]:
    """The watch goes by larger limits."""

    def remove(patch: Patch, _world: World) -> None:
        kept = watch.watch
        patch.setattr(execute, "watch", lambda running, limits: kept(running, Limits(**{"output_bytes": 100_000, **more})))

    return remove


def _until(action: str, number: int) -> str:
    """A program that does something so many times, and stops where it is refused."""
    return f"import os, signal, time\nkept = []\nfor n in range({number}):\n    {action}\nprint({DONE!r})"


ATTACKS = [
    Attack(
        "fork bomb",
        lambda _world, _free: (
            "import os, signal\nchildren = []\nfor _ in range(40):\n    child = os.fork()\n    if child == 0:\n        signal.pause()\n"
            f"    children.append(child)\nprint({DONE!r})"
        ),
        _without_limit("nproc"),
    ),
    Attack(
        "threads without end",
        lambda _world, _free: _until(
            "import threading; threading.stack_size(1 << 16); kept.append(threading.Thread(target=time.sleep, args=(0.5,))); kept[-1].start()",
            40,
        ),
        _without_limit("nproc"),
    ),
    Attack(
        "memory hog",
        lambda _world, _free: f"x = bytearray(128 << 20)\nx[::4096] = bytes(len(x[::4096]))\nprint({DONE!r})",
        _without_watch_of_memory,
    ),
    Attack(
        "memory hog of many processes",
        lambda _world, _free: (
            "import os, signal\nout, into = os.pipe()\nfor _ in range(6):\n    if os.fork() == 0:\n        x = bytearray(24 << 20)\n"
            "        x[::4096] = bytes(len(x[::4096]))\n        os.write(into, b'x')\n        signal.pause()\nos.close(into)\n"
            f"assert all(os.read(out, 1) for _ in range(6))\nprint({DONE!r})"
        ),
        _without_watch_of_memory,
        ended="memory",
    ),
    Attack(
        "memory shared by processes",
        lambda _world, _free: (
            f"import mmap\nx = mmap.mmap(-1, 128 << 20)\nfor n in range(0, len(x), 4096): x[n] = 1\nimport time; time.sleep(0.3)\nprint({DONE!r})"
        ),
        _without_watch_of_memory,
        ended="memory",
    ),
    Attack(
        "memory in files without a name",
        lambda _world, _free: _until(
            "f = os.memfd_create('x'); kept.append(f); [os.write(f, bytes(1 << 20)) for _ in range(12)]", 8
        ),
        _without_filter,
    ),
    Attack(
        "memory in System V segments",
        lambda _world, _free: (
            f"import ctypes\nc = ctypes.CDLL(None, use_errno=True)\nassert c.shmget(0, 1 << 20, 0o1600) >= 0, ctypes.get_errno()\nprint({DONE!r})"
        ),
        _without_filter,
    ),
    Attack(
        "memory in tables of memory",  # one page, seen at 20,000 places that need a table each: 80 MB
        lambda _world, _free: (
            "import ctypes, mmap, time\nc = ctypes.CDLL(None)\nc.mmap.restype = ctypes.c_void_p\n"
            "c.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]\n"
            "f = open('/tmp/x', 'w+b'); f.write(bytes(4096)); f.flush()\n"
            "for n in range(20_000): ctypes.string_at(c.mmap((1 << 44) + n * (1 << 21), 4096, mmap.PROT_READ, mmap.MAP_SHARED | 16, f.fileno(), 0), 1)\n"
            f"time.sleep(0.3)\nprint({DONE!r})"
        ),
        _without_tables,
        ended="memory",
    ),
    Attack(
        "memory in sockets",
        lambda _world, _free: (
            f"import socket, time\nkept = [socket.socketpair() for _ in range(30)]\ntime.sleep(0.3)\nprint({DONE!r})"
        ),
        lambda patch, _world: patch.setattr(watch, "_sockets", lambda _inside: 0),
        ended="memory",
    ),
    Attack(
        "disk hog",
        lambda _world, _free: _until("f = open(f'/tmp/{n}', 'wb'); f.write(bytes(8 << 20)); f.close()", 5),
        _without_size,
    ),
    Attack(
        "disk hog in /dev/shm",
        lambda _world, _free: _until("f = open(f'/dev/shm/{n}', 'wb'); f.write(bytes(8 << 20)); f.close()", 5),
        _without_size,
    ),
    Attack(
        "files without end",
        lambda _world, _free: _until("open(f'/tmp/{n}', 'w').close()", 20_000),
        lambda patch, _world: patch.setattr(watch, "_files", lambda _inside: (0, 0)),
        ended="files",
    ),
    Attack(
        "endless output",
        lambda _world, free: (
            f"n = 0\nwhile {not free} or n < 3000:\n    n += 1\n    print('x' * 999)\nimport sys; sys.stderr.write({DONE!r})"
        ),
        _with_more(most_output_bytes=64 * MB),
        ended="output",
    ),
    Attack(
        "ten minutes asleep",
        lambda _world, free: f"import time\ntime.sleep({2 if free else 600})\nprint({DONE!r})",
        _with_more(wall_s=600.0),
        ended="time",
        limits=Limits(wall_s=1.0),
    ),
    Attack(
        "ten minutes at work",
        lambda _world, free: f"import time\nwhile time.process_time() < {1.7 if free else 600}: pass\nprint({DONE!r})",
        _without_limit("cpu"),
        ended="time",
        limits=Limits(wall_s=120.0, cpu_s=1),
    ),
    Attack(
        "reading /etc/shadow",
        lambda _world, _free: f"open('/etc/shadow').read()\nprint({DONE!r})",
        _with_shadow_as_root,
        users=("root",),
    ),
    Attack(
        "reading the workspace",
        lambda world, _free: f"assert open({str(world.secret)!r}).read() == 'secret'\nprint({DONE!r})",
        _with_files(lambda world: world.secret),
    ),
    Attack(
        "symlinks and /proc",
        lambda world, _free: (
            f"import os\npath = {str(world.secret)!r}\nos.symlink(path, '/tmp/a')\nos.symlink('/proc/self/root' + path, '/tmp/b')\n"
            "tried = ['/tmp/a', '/tmp/b', *(f'/proc/{pid}/{name}' + path for pid in (1, 2, 'self') for name in ('root', 'cwd', 'cwd/../..'))]\n"
            "tried += [f'/proc/self/fd/{n}/' + '../' * 20 + path for n in range(64)] + ['../' * 20 + path]\n"
            "def can(path):\n    try: return open(path).read() == 'secret'\n    except OSError: return False\n"
            f"assert any(map(can, tried))\nprint({DONE!r})"
        ),
        _with_files(lambda world: world.secret),
    ),
    Attack(
        "reading what others were started with",
        lambda world, _free: (
            "import os\ndef told(pid):\n    try: return open(f'/proc/{pid}/cmdline').read()\n    except OSError: return ''\n"
            f"assert any({world.name!r} in told(pid) for pid in os.listdir('/proc') if pid.isdigit())\nprint({DONE!r})"
        ),
        _with_processes_of_others,
    ),
    Attack(
        "reading the environment of the server",
        lambda world, _free: (
            f"assert any({world.name!r} in open(f'/proc/{{pid}}/environ').read() for pid in (1, 'self'))\nprint({DONE!r})"
        ),
        lambda patch, _world: patch.setattr(isolation, "ENVIRONMENT", dict(os.environ)),
    ),
    Attack(
        "reading what the server has open",
        lambda _world, _free: (
            "import os\ndef told(n):\n    try: return os.pread(n, 6, 0)\n    except OSError: return b''\n"
            f"assert b'secret' in map(told, range(1024))\nprint({DONE!r})"
        ),
        _with_started(lambda world, given: {"pass_fds": (*given["pass_fds"], world.descriptor)}),
    ),
    Attack(
        "waiting for what the server reads",
        lambda _world, _free: "print(input())",
        _with_started(lambda _world, _given: {"stdin": _line_to_read(DONE)}),
    ),
    Attack(
        "becoming the first process, which has no limits",
        lambda _world, _free: (
            "place = next(int(line.split('-')[0], 16) for line in open('/proc/1/maps') if ' rw-p ' in line)\n"
            "with open('/proc/1/mem', 'r+b', buffering=0) as memory:\n    memory.seek(place)\n    kept = memory.read(8)\n    memory.seek(place)\n"
            f"    memory.write(kept)\nprint({DONE!r})"
        ),
        lambda patch, _world: patch.setattr(isolation, "PROC", ("--proc", "/proc")),
    ),
    Attack(
        "tracing another process",
        lambda _world, _free: f"import ctypes\nassert ctypes.CDLL(None).ptrace(0, 0, 0, 0) == 0\nprint({DONE!r})",
        _without_filter,
    ),
    Attack(
        "signalling the server",
        lambda world, _free: f"import os\nos.kill({world.process}, 15)\nprint({DONE!r})",
        _with_processes_of_others,
    ),
    Attack(
        "network",
        lambda world, _free: f"import socket\nsocket.create_connection(('127.0.0.1', {world.port}), timeout=5)\nprint({DONE!r})",
        _without_namespace("--unshare-net"),
    ),
    Attack(
        "network by a socket without a file",
        lambda world, _free: f"import socket\nsocket.socket(socket.AF_UNIX).connect('\\0' + {world.name!r})\nprint({DONE!r})",
        _without_namespace("--unshare-net"),
    ),
    Attack(
        "network by another family",
        lambda _world, _free: f"import socket\nsocket.socket(16, socket.SOCK_RAW, 0)\nprint({DONE!r})",
        _without_filter,
    ),
    Attack(
        "writing outside",
        lambda world, _free: f"open({str(world.folder / 'x')!r}, 'w').write('x')\nprint({DONE!r})",
        _with_files(lambda world: world.folder, "--bind"),
    ),
    Attack(
        "namespaces of its own",
        lambda _world, _free: f"import ctypes\nassert ctypes.CDLL(None).unshare(0x10000000) == 0\nprint({DONE!r})",
        _without_filter,
    ),
]
CASES = [pytest.param(attack, user, id=f"{attack.name}-{user}") for attack in ATTACKS for user in attack.users]


@pytest.fixture(autouse=True, scope="module")
def _sandbox() -> None:
    require_sandbox()


@pytest.fixture
def world(request: pytest.FixtureRequest, monkeypatch: Patch) -> Iterator[World]:
    user: str = request.node.callspec.params["user"]
    name = f"goldsmith-decoy-{os.getpid()}-{time.monotonic_ns()}"
    uid = uid_of(user)
    place = Path(f"/var/tmp/{name}")
    folder = place / "folder"
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    secret = place / "secret"
    secret.write_text("secret")
    secret.chmod(0o600)
    if os.geteuid() == 0:
        os.chown(secret, uid, uid)
    descriptor = os.open(secret, os.O_RDONLY)
    os.set_inheritable(descriptor, True)
    monkeypatch.setenv("GOLDSMITH_DECOY_KEY", name)
    decoy = subprocess.Popen(["/bin/sh", "-c", "sleep 600; :", name], start_new_session=True, **_started_as(uid))
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as unnamed:
        unnamed.bind("\0" + name)
        unnamed.listen()
        yield World(user, secret, folder, decoy.pid, server.getsockname()[1], name, descriptor)
    os.close(descriptor)
    os.killpg(decoy.pid, signal.SIGKILL)
    decoy.wait()
    for path in (*folder.iterdir(), secret):
        path.unlink()
    folder.rmdir()
    place.rmdir()


def _started_as(uid: int) -> dict[str, Any]:
    return {"user": uid, "group": uid, "extra_groups": []} if os.geteuid() == 0 else {}


def _run(source: str, limits: Limits, language: str = "python", tests: str | None = None) -> Any:
    """A program's result, run by whoever this process is."""
    paths = {"python": "/usr/bin/python3", "javascript": "/usr/bin/node"}
    own = account_for(65_534)
    result = execute.execute(LANGUAGES[language], paths[language], source, tests, limits, own)
    return result.model_dump()


@pytest.mark.parametrize(("attack", "user"), CASES)
def test_an_attack_is_contained(attack: Attack, user: str, world: World) -> None:
    result = as_user(user, lambda: _run(attack.program(world, False), attack.limits))

    assert DONE not in result["stdout"]["text"] + result["stderr"]["text"]
    assert (result["ended"], result["exit_code"]) == (attack.ended, 1 if attack.ended == "exit" else None), result
    assert os.waitpid(world.process, os.WNOHANG) == (0, 0)
    assert list(world.folder.iterdir()) == []


@pytest.mark.parametrize(("attack", "user"), CASES)
def test_the_same_attack_succeeds_without_the_protection(attack: Attack, user: str, world: World, monkeypatch: Patch) -> None:
    attack.remove(monkeypatch, world)

    result = as_user(user, lambda: _run(attack.program(world, True), attack.limits))

    assert DONE in result["stdout"]["text"] + result["stderr"]["text"], result


def _calls() -> Any:
    """How each call that the filter names is answered, by its name; arguments that no kernel takes do no harm."""
    column = {"x86_64": 0, "aarch64": 1}[os.uname().machine]
    numbers = {name: both[column] for name, both in REFUSED.items()}
    source = (
        "import ctypes, json\nc = ctypes.CDLL(None, use_errno=True)\n"
        f"print(json.dumps({{name: (c.syscall(n, -1, -1, -1, -1, -1, -1), ctypes.get_errno())[1] for name, n in {numbers!r}.items()}}))"
    )
    return json.loads(_run(source, SMALL)["stdout"]["text"])


@pytest.mark.parametrize("user", USERS)
def test_every_call_of_the_filter_is_refused(user: str, monkeypatch: Patch) -> None:
    assert set(as_user(user, _calls).values()) == {errno.EPERM}

    monkeypatch.setattr(launch, "syscall_filter", lambda: struct.pack("HBBI", 0x06, 0, 0, 0x7FFF0000))
    # Others are refused by the kernel for want of rights; these are anybody's, and complain of their arguments only.
    answers = as_user(user, _calls)
    assert errno.EPERM not in {answers[name] for name in ("memfd_create", "mq_open", "shmget", "process_vm_readv", "io_setup")}
