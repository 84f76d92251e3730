"""Programs as people and models write them: what is told of each, and that nothing is left when it is over."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from goldsmith.config.sandbox import SandboxConfig
from goldsmith.errors import UserError
from goldsmith.sandbox import Limits, check_sandbox, isolation, launch, run_code
from goldsmith.sandbox import check as checking
from goldsmith.sandbox.account import account_for
from goldsmith.sandbox.check import SandboxOff
from goldsmith.sandbox.execute import execute
from goldsmith.sandbox.languages import LANGUAGES
from goldsmith.sandbox.turns import SandboxBusy, Turns
from sandboxed import USERS, as_user, require_sandbox

MB = 1 << 20
DAEMON = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep(600)", {name!r}])
time.sleep(0.3)
print("started")
{more}
"""


@pytest.fixture(autouse=True, scope="module")
def _sandbox() -> None:
    require_sandbox()


@pytest.fixture(scope="module", autouse=True)
def _javascript(_sandbox: None) -> None:
    if shutil.which("node") is None:
        reason = "Node.js is not installed (apt-get install nodejs)"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)


@pytest.mark.parametrize("user", USERS)
def test_every_protection_holds_when_it_is_tried_out(user: str) -> None:
    report = as_user(user, lambda: check_sandbox().model_dump())

    assert report["works"], report
    assert report["is_dropped"] == (user == "root")
    assert report["uid"] != 0
    assert set(report["protections"]) >= {
        "network",
        "files",
        "processes",
        "process-limit",
        "memory-limit",
        "time-limit",
        "first-process",
        "shared-memory-limit",
    }


@pytest.mark.parametrize(
    ("language", "source", "tests", "expected"),
    [
        ("py", "def f(x): return x + 1", "assert f(1) == 2", "passed"),
        ("py", "def f(x): return x", "assert f(1) == 2", "failed"),
        ("py", "raise SystemExit(0)", "assert False", "failed"),
        ("python", "print('no tests')", None, None),
        ("js", "function f(x) { return x + 1; }", "if (f(1) !== 2) throw new Error('wrong');", "passed"),
        ("js", "const f = async (x) => x;", "f(1).then((x) => { if (x !== 2) throw new Error('wrong'); });", "failed"),
        ("javascript", "import { ok } from 'node:assert';\nconst f = (x) => x + 1;", "ok(f(1) === 2);", "passed"),
        ("javascript", "process.exit(0);", "throw new Error('wrong');", "failed"),
    ],
)
def test_tests_pass_only_when_their_end_is_reached(language: str, source: str, tests: str | None, expected: str | None) -> None:
    assert run_code(language, source, tests).tests == expected


def test_code_that_is_no_code_is_a_result() -> None:
    result = run_code("python", "Sure! Here is the \x00 program:\n```\nprint(1)")

    assert (result.ended, result.exit_code) == ("exit", 1)
    assert "Error" in result.stderr.text


def test_output_is_shown_inert_and_a_signal_by_its_name() -> None:
    result = run_code("python", "print('\\x1b[2J\\x07red\\u202e', end='', flush=True)\nimport os\nos.abort()")

    # ESC and BEL as their pictures (U+2400 + code), the right-to-left override by its number.
    assert result.stdout.text == "\u241b[2J\u2407red[U+202E]"
    assert (result.ended, result.signal, result.exit_code) == ("signal", "SIGABRT", None)


def test_fifty_megabytes_are_counted_and_not_kept() -> None:
    before = _resident_bytes()

    result = run_code("python", "import sys\nfor _ in range(50): sys.stdout.write('x' * (1 << 20))", limits=Limits(wall_s=120))

    assert (result.ended, result.exit_code) == ("exit", 0)
    assert result.stdout.num_bytes == 50 * MB
    assert (len(result.stdout.text), result.stdout.is_cut) == (100 * 1024, True)
    assert _resident_bytes() - before < 10 * MB


def test_a_cut_within_a_character_leaves_no_wrong_one() -> None:
    # Three bytes each: the fourth byte kept begins a character that is not whole.
    result = run_code("python", "print('\u4e2d' * 10, end='')", limits=Limits(output_bytes=4))

    assert (result.stdout.text, result.stdout.num_bytes, result.stdout.is_cut) == ("\u4e2d", 30, True)


@pytest.mark.parametrize("more", ["", "time.sleep(600)"], ids=["ended", "stopped"])
@pytest.mark.parametrize("user", USERS)
def test_nothing_is_left_of_a_run(user: str, more: str) -> None:
    name = f"left-over-{os.getpid()}-{time.monotonic_ns()}"

    result = as_user(
        user,
        lambda: run_code("python", DAEMON.format(name=name, more=more), limits=Limits(wall_s=15 if more else 60)).model_dump(),
    )

    assert result["stdout"]["text"] == "started\n"
    assert _wait_for(lambda: not _is_running(name))
    assert not list(Path("/sys/fs/cgroup").glob(f"**/goldsmith-sandbox-{os.getpid()}-*"))


def test_without_a_namespace_of_processes_something_would_be_left(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"left-over-{os.getpid()}-{time.monotonic_ns()}"
    kept = tuple(given for given in isolation.NAMESPACES if given != "--unshare-pid")
    monkeypatch.setattr(isolation, "NAMESPACES", kept)
    monkeypatch.setattr(isolation, "PROC", ("--ro-bind", "/proc", "/proc"))
    monkeypatch.setattr(launch, "make_group", lambda _limits: None)  # what is left over would hold on to it
    daemon = (
        DAEMON.format(name=name, more="")
        .replace("sleep(600)", "sleep(10)")
        .replace("os.setsid()", "os.setsid(); os.closerange(0, 64)")
    )

    execute(LANGUAGES["python"], "/usr/bin/python3", daemon, None, Limits(wall_s=60), account_for(65_534))

    assert _is_running(name)


def test_a_server_that_is_killed_leaves_no_program_behind() -> None:
    name = f"orphan-{os.getpid()}-{time.monotonic_ns()}"
    code = f"from goldsmith.sandbox import run_code\nrun_code('python', {DAEMON.format(name=name, more='time.sleep(600)')!r}, config=None)"
    server = subprocess.Popen([sys.executable, "-c", code], env={**os.environ})
    try:
        assert _wait_for(lambda: _is_running(name, but=server.pid))
    finally:
        server.send_signal(signal.SIGKILL)
        server.wait()

    assert _wait_for(lambda: not _is_running(name))


def test_descriptors_and_processes_of_many_runs_are_given_back() -> None:
    run_code("python", "print(1)")
    before = len(os.listdir("/proc/self/fd"))

    for _ in range(5):
        run_code("python", "print(1)", "assert True")

    assert len(os.listdir("/proc/self/fd")) == before


def test_twenty_at_once_take_turns() -> None:
    config = SandboxConfig(at_once=2, wait_s=120)

    with ThreadPoolExecutor(20) as pool:
        results = list(pool.map(lambda number: run_code("python", f"print({number})", config=config), range(20)))

    assert [(result.ended, result.stdout.text) for result in results] == [("exit", f"{number}\n") for number in range(20)]


def test_who_waits_too_long_is_refused() -> None:
    turns = Turns(1)

    with turns.turn(0), pytest.raises(SandboxBusy, match=r"1 programs run already.*sandbox\.at_once"), turns.turn(0):
        pass
    with turns.turn(0):
        pass


def test_without_bubblewrap_there_is_no_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "bubblewrap", lambda: None)

    with pytest.raises(SandboxOff, match="bubblewrap is not installed"):
        run_code("python", "print(1)", config=SandboxConfig(wait_s=29))


@pytest.mark.parametrize("namespace", ["--unshare-net", "--unshare-pid"])
def test_one_protection_that_does_not_hold_closes_the_sandbox(namespace: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = tuple(name for name in isolation.NAMESPACES if name != namespace)
    monkeypatch.setattr(isolation, "NAMESPACES", kept)
    if namespace == "--unshare-pid":
        monkeypatch.setattr(isolation, "PROC", ("--ro-bind", "/proc", "/proc"))

    with pytest.raises(SandboxOff, match=r"do not hold here: (network|files|processes)"):
        run_code("python", "print(1)", config=SandboxConfig(wait_s=28))


def test_no_user_namespaces_means_no_sandbox_and_a_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    refuses = tmp_path / "bwrap"
    refuses.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    refuses.chmod(0o755)
    for folder in (tmp_path, *tmp_path.parents):
        if folder == Path(tempfile.gettempdir()):
            break
        folder.chmod(0o755)
    monkeypatch.setattr(launch, "bubblewrap", lambda: str(refuses))

    report = check_sandbox()

    assert not report.works
    assert "No permissions to create new namespace" in (report.why_not or "")
    assert "user.max_user_namespaces" in (report.why_not or "")


@pytest.mark.parametrize("language", ["ruby", "", "sh"])
def test_other_languages_are_refused_by_name(language: str) -> None:
    with pytest.raises(UserError, match="cannot be run; there are python, javascript"):
        run_code(language, "puts 1")


def test_a_program_that_is_too_long_is_refused() -> None:
    with pytest.raises(UserError, match="200,001 characters"):
        run_code("python", "#" * 200_001)


def _resident_bytes() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _is_running(name: str, but: int = 0) -> bool:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) not in (but, os.getpid()):
            try:
                if name in (entry / "cmdline").read_text():
                    return True
            except OSError:
                continue
    return False


def _wait_for(condition: Callable[[], bool]) -> bool:
    for _ in range(300):
        if condition():
            return True
        time.sleep(0.1)
    return False
