"""What stands on stdout with `--json`: one JSON value, in success as in failure, whatever libraries print."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from rich.console import Console

from goldsmith.cli import main
from goldsmith.cli.output import emit
from goldsmith.errors import UserError, WaitingForHumans
from goldsmith.progress import ConsoleProgress


def verb(monkeypatch: pytest.MonkeyPatch, body: Any) -> None:
    """Put a command `run --json` in place of the real one."""

    @click.command()
    @click.option("--json", "as_json", is_flag=True)
    def command(as_json: bool) -> Any:
        return body(as_json)

    monkeypatch.setattr(main.LazyGroup, "get_command", lambda *_: command)


def shown(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def fail(error: BaseException) -> Any:
    def body(_as_json: bool) -> None:
        raise error

    return body


@pytest.mark.parametrize(
    ("error", "kind", "name", "code"),
    [
        (UserError("no such thing"), "error", "UserError", 1),
        (WaitingForHumans("votes are needed"), "waiting", "WaitingForHumans", 4),
        (KeyboardInterrupt(), "error", "Interrupted", 130),
        (ZeroDivisionError("oh"), "error", "ZeroDivisionError", 1),
        (OSError(28, "No space left on device", "x.parquet"), "error", "OSError", 1),
        (PermissionError(13, "Permission denied", "x.parquet"), "error", "PermissionError", 1),
        (MemoryError(), "error", "MemoryError", 1),
    ],
)
def test_every_failure_is_json_of_one_shape(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException, kind: str, name: str, code: int
) -> None:
    verb(monkeypatch, fail(error))
    assert main.run(["run", "--json"]) == code
    found = shown(capsys)
    assert list(found) == [kind]
    assert (found[kind]["type"], found[kind]["exit_code"]) == (name, code)
    assert found[kind]["message"]


@pytest.mark.parametrize("arguments", [["nonsense", "--json"], ["run", "--json", "--nonsense"], ["pool", "add", "--json"]])
def test_wrong_use_is_json_too(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert main.run(arguments) == 2
    error = shown(capsys)["error"]
    assert (error["type"], error["exit_code"]) == ("UsageError", 2)


def test_without_json_a_failure_leaves_stdout_empty(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    verb(monkeypatch, fail(UserError("no such thing")))
    assert main.run(["run"]) == 1
    assert capsys.readouterr() == ("", "error: no such thing\n")


def test_what_a_library_prints_goes_to_stderr(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def body(as_json: bool) -> None:
        print("{'loss': 0.7}")
        emit({"accuracy": float("nan"), "of": [float("inf"), 1.5], "name": "caf\udce9"}, "", as_json)

    verb(monkeypatch, body)
    assert main.run(["run", "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"accuracy": None, "of": [None, 1.5], "name": "caf\udce9"}
    assert "loss" in captured.err


def test_a_full_disk_does_not_hide_the_bug_it_meets(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.NamedTemporaryFile", full)
    verb(monkeypatch, fail(ZeroDivisionError("oh")))
    assert main.run(["run"]) == 1
    assert "a bug in Goldsmith: ZeroDivisionError: oh" in capsys.readouterr().err


def test_a_verb_that_is_nearly_right_is_suggested(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["repotr"]) == 2
    assert "Did you mean 'report'?" in capsys.readouterr().err


def test_a_column_mapped_twice_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["init", str(tmp_path / "w")]) == 0
    arguments = ["pool", "add", "-w", str(tmp_path / "w"), "x", "--map", "chosen=a,rejected=b", "--map", "chosen=c"]
    assert main.run(arguments) == 2
    assert "'chosen' is mapped twice" in capsys.readouterr().err


def test_a_failure_within_a_bar_gives_the_cursor_back() -> None:
    screen = io.StringIO()
    progress = ConsoleProgress()
    progress._console = Console(file=screen, force_terminal=True)

    def work() -> None:
        with progress:
            progress.update(1, 10, "bytes")
            raise UserError("broken")

    with pytest.raises(UserError):
        work()
    hidden, shown_again = "\x1b[?25l", "\x1b[?25h"
    assert screen.getvalue().rindex(shown_again) > screen.getvalue().rindex(hidden)


def test_work_that_is_over_at_once_writes_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    with ConsoleProgress() as progress:
        progress.update(10, 10, "bytes")
    assert capsys.readouterr().err == ""


def test_what_is_written_beneath_python_goes_to_stderr_too(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def body(as_json: bool) -> None:
        os.write(1, b"engine speaking\n")
        emit({"fine": True}, "", as_json)

    verb(monkeypatch, body)
    assert main.run(["run", "--json"]) == 0
    os.write(1, b" ")
    captured = capfd.readouterr()
    assert json.loads(captured.out) == {"fine": True}
    assert captured.err == "engine speaking\n"


@pytest.mark.parametrize("arguments", [["status", "--json"], ["status"]])
def test_a_reader_that_left_is_no_error(tmp_path: Path, arguments: list[str]) -> None:
    assert main.run(["init", str(tmp_path / "w")]) == 0
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "goldsmith.cli", *arguments, "-w", str(tmp_path / "w")]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")
