"""The parts of the sandbox that need no bubblewrap: text, control groups, the filter's form, the command line."""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path

import pytest

from goldsmith.sandbox import cgroup, languages, watch
from goldsmith.sandbox.account import account_for
from goldsmith.sandbox.isolation import arguments, parts_of
from goldsmith.sandbox.limits import MB, Limits, limited
from goldsmith.sandbox.output import Capture, visible
from goldsmith.sandbox.syscalls import REFUSED, is_known, syscall_filter


def test_characters_that_steer_hide_or_reorder_are_made_visible() -> None:
    # U+2400 + code for C0, U+2421 for DEL, the number for all else; tab and line feed are plain text.
    assert visible("a\tb\r\n\x1b[31m\x00\x7f\x9b") == "a\tb\n\u241b[31m\u2400\u2421[U+009B]"
    assert visible("\u202e\u2066\u200b\ufeff") == "[U+202E][U+2066][U+200B][U+FEFF]"
    assert visible("naïve 中文 🎉") == "naïve 中文 🎉"


def test_a_capture_counts_what_it_does_not_keep() -> None:
    capture = Capture(4)
    for part in (b"ab", b"cdef", b"\xff" * 10):
        capture.add(part)
    stream = capture.stream()
    assert (stream.text, stream.num_bytes, stream.is_cut) == ("abcd", 16, True)


def test_bytes_that_are_no_text_are_replaced() -> None:
    capture = Capture(10)
    capture.add(b"a\xffb")
    assert capture.stream().text == "a\ufffdb"


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_has_a_known_form(machine: str) -> None:
    program = [struct.unpack("HBBI", syscall_filter(machine)[at : at + 8]) for at in range(0, len(syscall_filter(machine)), 8)]
    # Every jump stays inside, the last instruction returns, and BPF allows 4,096 instructions.
    assert len(program) < 4096
    assert all(at + 1 + max(so, no) < len(program) for at, (code, so, no, _) in enumerate(program) if code & 7 == 5)
    assert program[-1][0] == 0x06


def test_the_filter_knows_numbers_of_the_running_kernel() -> None:
    # Two independent sources: the table, and what Python's own constants say of the C library's headers.
    assert REFUSED["memfd_create"] == (319, 279)
    assert REFUSED["bpf"] == (321, 280)
    assert is_known("x86_64")
    assert not is_known("riscv64")


def test_a_group_of_version_2_has_its_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroup, "_own_path", lambda _controller: "")
    (tmp_path / "cgroup.subtree_control").write_text("cpu memory pids\n")
    group = cgroup.make_group(Limits(memory_bytes=64 * MB, processes=20), tmp_path)
    assert group is not None
    folder = group.folders[0]
    assert (folder / "memory.max").read_text() == str(64 * MB)
    assert (folder / "pids.max").read_text() == "20"
    assert (folder / "memory.oom.group").read_text() == "1"
    assert not group.ran_out_of_memory()
    (folder / "memory.events").write_text("low 0\noom 1\noom_kill 1\n")
    assert group.ran_out_of_memory()
    assert group.add(os.getpid())


def test_a_group_of_version_1_lies_in_two_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroup, "_own_path", lambda _controller: "")
    for name in ("memory", "pids"):
        (tmp_path / name).mkdir()
    group = cgroup.make_group(Limits(memory_bytes=64 * MB, processes=20), tmp_path)
    assert group is not None
    memory, pids = group.folders
    assert (memory / "memory.limit_in_bytes").read_text() == str(64 * MB)
    assert (pids / "pids.max").read_text() == "20"
    (memory / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n")
    assert group.ran_out_of_memory()


def test_where_no_group_can_be_made_there_is_none(tmp_path: Path) -> None:
    assert cgroup.make_group(Limits(), tmp_path / "absent") is None
    assert not (tmp_path / "absent").exists()


def test_the_limits_are_set_before_the_program() -> None:
    line = limited(["python3", "main.py"], Limits(cpu_s=3, memory_bytes=MB, processes=7))
    assert line[0] == "/usr/bin/prlimit"
    assert {"--cpu=3:4", f"--data={MB}", "--nproc=7", "--core=0"} <= set(line)
    assert line[-3:] == ["--", "python3", "main.py"]


def test_only_named_folders_are_shown() -> None:
    line = arguments(Limits(), [])
    shown = {line[at + 1] for at, word in enumerate(line) if word.startswith("--ro-bind")}
    assert "/" not in shown
    assert "/usr" not in shown
    assert not any(path.startswith(("/home", "/root", "/usr/src", "/proc")) or path == "/etc" for path in shown)
    assert not {"--bind", "--dev-bind", "--share-net"} & set(line)
    assert {"--unshare-user", "--unshare-net", "--unshare-pid", "--unshare-ipc", "--die-with-parent"} <= set(line)


def test_an_interpreter_elsewhere_is_shown_with_its_installation() -> None:
    assert parts_of("/usr/bin/env") == []
    assert parts_of("/opt/python/bin/python3") == [
        "/opt/python/bin",
        "/opt/python/lib",
        "/opt/python/lib64",
        "/opt/python/pyvenv.cfg",
    ]


@pytest.mark.parametrize("path", ["/opt/node", "/node", "/home/ann/node", "/home/ann/bin/node"])
def test_an_interpreter_shows_neither_a_home_nor_the_whole_machine(path: str) -> None:
    assert not {"/", "/opt", "/home", "/home/ann"} & set(parts_of(path))
    assert path in parts_of(path) or str(Path(path).parent) in parts_of(path)


def test_root_gives_itself_up_and_others_stay_who_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert account_for(4242).popen_arguments() == {"user": 4242, "group": 4242, "extra_groups": []}
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert (account_for(4242).uid, account_for(4242).popen_arguments()) == (1000, {})


def test_javascript_with_imports_is_a_module() -> None:
    names = languages.LANGUAGES["javascript"].file_name
    assert names("import fs from 'fs';") == "main.mjs"
    assert names("const important = 1;") == "main.cjs"


def test_until_a_run_has_places_of_its_own_nothing_of_this_machine_is_counted() -> None:
    # This process stands where bubblewrap stands before it has made them: among the machine's own files and sockets.
    assert watch._files(os.getpid()) == (0, 0)
    with socket.socket():
        assert watch._sockets(os.getpid()) == 0


def test_memory_that_the_kernel_does_not_divide_counts_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 0 < watch._proportional(os.getpid(), 1 << 50) < 1 << 50

    def refuse(_path: Path, **_more: str) -> str:
        raise PermissionError

    monkeypatch.setattr(Path, "read_text", refuse)
    assert watch._proportional(os.getpid(), 7 * MB) == 7 * MB
