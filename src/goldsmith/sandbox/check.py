"""Whether there is a sandbox here: every protection is tried out before the first program runs, and one that does not hold closes it.

Order of what is tried, and nothing weaker after it: as an ordinary user, bubblewrap in that user's own namespaces; as root, the
same as the user of `sandbox.uid`. Where user namespaces are not allowed, or bubblewrap is missing, there is no sandbox.
"""

from __future__ import annotations

import json
import os
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from goldsmith.config.sandbox import SandboxConfig
from goldsmith.errors import UserError
from goldsmith.sandbox.account import Account, account_for
from goldsmith.sandbox.cgroup import make_group
from goldsmith.sandbox.execute import execute
from goldsmith.sandbox.languages import LANGUAGES, Language
from goldsmith.sandbox.launch import SandboxFailure, bubblewrap
from goldsmith.sandbox.limits import MB, PRLIMIT, Limits
from goldsmith.sandbox.result import CodeResult
from goldsmith.sandbox.syscalls import is_known

PATIENT_S = 90.0
"""Seconds for what takes a tenth of one: on a machine that is very busy, slowness must not look like a missing protection."""
TRIED = Limits(
    wall_s=PATIENT_S, cpu_s=10, memory_bytes=64 * MB, processes=16, disk_bytes=4 * MB, output_bytes=20_000, most_output_bytes=MB
)
ENDLESS = Limits(wall_s=0.5, memory_bytes=64 * MB, most_output_bytes=64 * MB)
FLOOD = Limits(wall_s=PATIENT_S, memory_bytes=64 * MB, most_output_bytes=MB // 4)
SHARED = (
    "import mmap, os\n"
    "if os.fork() == 0:\n"
    f"    x = mmap.mmap(-1, {2 * TRIED.memory_bytes})\n"
    "    for at in range(0, len(x), 4096): x[at] = 1\n"
    "os.wait()"
)
"""Memory that no limit of a process counts, taken by a child."""
ATTEMPTS = files("goldsmith.sandbox").joinpath("inside.py").read_text(encoding="utf-8")
"""Read with the module: a process that gives its rights up later may not be able to."""
HELLO = {"python": "import sys\nprint(sys.version.split()[0])", "javascript": "console.log(process.versions.node)"}
NAMESPACE_REMEDY = (
    "user namespaces must be allowed (sysctl user.max_user_namespaces above 0, kernel.unprivileged_userns_clone=1 on older Debian, "
    "kernel.apparmor_restrict_unprivileged_userns=0 on Ubuntu); in a container also "
    "--security-opt seccomp=unconfined --security-opt systempaths=unconfined"
)


class SandboxOff(UserError):
    """There is no sandbox here; the message says why, and what would make one."""


class SandboxReport(BaseModel):
    """What `goldsmith sandbox check` tells.

    Attributes:
        works: whether code can be run.
        why_not: the reason, and the remedy.
        uid: of programs, outside.
        is_dropped: whether Goldsmith is root and gives that up for programs.
        has_group: whether a control group holds each run as well.
        languages: path and version by language; why not where it is missing.
        protections: whether each held when it was tried.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    works: bool
    why_not: str | None
    uid: int
    is_dropped: bool
    has_group: bool
    languages: dict[str, str]
    protections: dict[str, bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """A sandbox that holds: the report, and the path of the program for each language that can be run."""

    report: SandboxReport
    account: Account
    paths: dict[str, str]


_found: dict[tuple[int, str], tuple[float, Runtime]] = {}
_lock = threading.Lock()
AGAIN_S = 300.0
"""Seconds after which what did not hold is tried out again; what holds is believed as long as the process lives."""


def check_sandbox(config: SandboxConfig | None = None) -> SandboxReport:
    """Return whether code can be run here, what protects this machine, and what is missing; tried out anew."""
    return _tried(config or SandboxConfig()).report


def known_report(config: SandboxConfig) -> SandboxReport:
    """Return the same as `check_sandbox`, tried out once for each process and configuration, and now and then where it does not hold."""
    return _runtime(config).report


def require(config: SandboxConfig) -> Runtime:
    """Return a sandbox that holds.

    Raises:
        SandboxOff: there is none.
    """
    runtime = _runtime(config)
    if not runtime.report.works:
        raise SandboxOff(runtime.report.why_not or "the sandbox is off")
    return runtime


def _runtime(config: SandboxConfig) -> Runtime:
    key = (os.geteuid(), config.model_dump_json())
    with _lock:
        tried_s, runtime = _found.get(key, (0.0, None))
        if runtime is None or (not runtime.report.works and time.monotonic() - tried_s > AGAIN_S):
            runtime = _tried(config)
            _found[key] = (time.monotonic(), runtime)
        return runtime


def _tried(config: SandboxConfig) -> Runtime:
    account = account_for(config.uid)
    paths: dict[str, str] = {}
    languages: dict[str, str] = {}
    protections: dict[str, bool] = {}
    why_not = _missing()
    if why_not is None:
        for language in LANGUAGES.values():
            path, languages[language.name] = _first_that_runs(language, config, account)
            if path is not None:
                paths[language.name] = path
        if "python" in paths:
            protections = _protections(paths["python"], account)
            why_not = _not_held(protections)
        else:
            why_not = f"{languages['python']}; {NAMESPACE_REMEDY}"
    report = SandboxReport(
        works=why_not is None,
        why_not=why_not,
        uid=account.uid,
        is_dropped=account.is_dropped,
        has_group=_has_group(),
        languages=languages,
        protections=protections,
    )
    return Runtime(report=report, account=account, paths=paths)


def _missing() -> str | None:
    """What has to be installed, or is not supported."""
    if bubblewrap() is None:
        return "bubblewrap is not installed (apt-get install bubblewrap); code is never run without it"
    if not Path(PRLIMIT).exists():
        return f"{PRLIMIT} is missing (apt-get install util-linux); code is never run without limits"
    return None if is_known() else f"there is no filter of system calls for this processor ({os.uname().machine})"


def _first_that_runs(language: Language, config: SandboxConfig, account: Account) -> tuple[str | None, str]:
    """Path of the first program that runs inside, and what to tell: "path (version)", or why there is none."""
    why = f"no program for {language.name} was found; install one, or set sandbox.{language.setting}"
    limits = Limits(wall_s=PATIENT_S, cpu_s=30)
    for path in language.programs(config):
        try:
            result = execute(language, path, HELLO[language.name], None, limits, account)
        except SandboxFailure as failure:
            why = f"{path}: {failure}"
            continue
        if result.is_clean:
            return path, f"{path} ({result.stdout.text.strip()})"
        why = f"{path} does not run in the sandbox: {_last_line(result)}"
    return None, why


def _last_line(result: CodeResult) -> str:
    said = result.stderr.text.strip().splitlines()
    return said[-1] if said else f"it ended by {result.ended}"


def _protections(python: str, account: Account) -> dict[str, bool]:
    """Whether each protection held; one that could not be tried did not."""
    language = LANGUAGES["python"]
    with _outside() as (port, secret):
        tried = (port, secret, os.getpid(), TRIED.processes, TRIED.memory_bytes, TRIED.disk_bytes)
        result = execute(
            language, python, f"{ATTEMPTS}\nimport json\nprint(json.dumps(attempts(*{tried!r})))\n", None, TRIED, account
        )
    try:
        held = {str(name): value is True for name, value in json.loads(result.stdout.text).items()}
    except ValueError:
        return {f"trying them out: {_last_line(result)}": False}
    endless = execute(language, python, "while True: pass", None, ENDLESS, account)
    flood = execute(language, python, "while True: print('x' * 1000)", None, FLOOD, account)
    shared = execute(language, python, SHARED, None, TRIED, account)
    stopped = {"time-limit": endless.ended == "time", "output-limit": flood.ended == "output"}
    return {**held, **stopped, "shared-memory-limit": shared.ended == "memory"}


def _not_held(protections: dict[str, bool]) -> str | None:
    open_ones = [name for name, held in protections.items() if not held]
    return f"these protections do not hold here: {', '.join(open_ones)}; code is never run without them" if open_ones else None


@contextmanager
def _outside() -> Iterator[tuple[int, str]]:
    """What programs must not reach: a port that answers, and a file that everybody may read."""
    with tempfile.TemporaryDirectory(prefix="goldsmith-sandbox-") as folder, socket.create_server(("127.0.0.1", 0)) as server:
        Path(folder).chmod(0o755)
        secret = Path(folder, "secret")
        secret.write_text("secret", encoding="utf-8")
        secret.chmod(0o644)
        yield server.getsockname()[1], str(secret)


def _has_group() -> bool:
    group = make_group(Limits())
    if group is not None:
        group.remove()
    return group is not None
