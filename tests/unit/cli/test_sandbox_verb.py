"""`goldsmith sandbox`: exit codes and what goes where."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import goldsmith.sandbox
from goldsmith.cli.main import run
from goldsmith.sandbox import CodeResult, SandboxReport
from goldsmith.sandbox.result import Stream

REPORT = SandboxReport(
    works=False, why_not="bubblewrap is not installed", uid=65534, is_dropped=True, has_group=False, languages={}, protections={"network": False}
)  # fmt: skip


def _result(**changes: Any) -> CodeResult:
    empty = Stream(text="", num_bytes=0, is_cut=False)
    fields: dict[str, Any] = {
        "language": "python", "ended": "exit", "exit_code": 0, "signal": None, "stdout": Stream(text="hello\n", num_bytes=900, is_cut=True), "stderr": empty,
        "seconds": 0.5, "cpu_seconds": 0.25, "peak_bytes": 10 << 20, "tests": None,
    }  # fmt: skip
    return CodeResult(**{**fields, **changes})


def test_check_ends_with_1_where_there_is_no_sandbox(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(goldsmith.sandbox, "check_sandbox", lambda _config: REPORT)
    assert run(["sandbox", "check"]) == 1
    said = capsys.readouterr().out
    assert "there is no sandbox: bubblewrap is not installed" in said
    assert "network: DOES NOT HOLD" in said


@pytest.mark.parametrize(
    ("result", "exit_code", "told"),
    [
        (_result(), 0, "exit code 0; 0.50 s, 0.25 s of computing, 10 MB"),
        (_result(exit_code=1, tests="failed"), 3, "exit code 1, tests failed"),
        (_result(ended="memory", exit_code=None), 3, "ended by memory"),
        (_result(ended="signal", exit_code=None, signal="SIGSEGV"), 3, "ended by SIGSEGV"),
    ],
)
def test_run_tells_how_it_ended(
    result: CodeResult,
    exit_code: int,
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given: list[Any] = []
    monkeypatch.setattr(goldsmith.sandbox, "run_code", lambda *told, config: given.append((*told, config.memory_mb)) or result)
    (tmp_path / "a.py").write_text("print('hello')")
    (tmp_path / "t.py").write_text("assert 1")
    arguments = ["sandbox", "run", str(tmp_path / "a.py"), "--tests", str(tmp_path / "t.py"), "--set", "memory_mb=99"]
    assert run(arguments) == exit_code
    said = capsys.readouterr().out
    assert told in said
    assert "stdout (the first part of 900 bytes):\nhello" in said
    assert given == [("python", "print('hello')", "assert 1", 99)]
    assert run([*arguments, "--json"]) == exit_code
    assert json.loads(capsys.readouterr().out)["ended"] == result.ended


def test_a_file_of_no_known_kind_needs_a_language(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.txt").write_text("1")
    assert run(["sandbox", "run", str(tmp_path / "a.txt")]) == 1
    assert "say --language python or javascript" in capsys.readouterr().err
