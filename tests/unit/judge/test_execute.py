"""What running a reply's program tells of it: correct and incorrect only where the program is the cause."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from goldsmith.judge.execute import check_reply, execute_pairs
from goldsmith.judge.programs import PromptTests
from goldsmith.sandbox import CodeResult
from goldsmith.sandbox.check import SandboxOff
from goldsmith.sandbox.result import Stream
from goldsmith.sandbox.turns import SandboxBusy
from goldsmith.types import Message, Pair

TESTS = PromptTests("python", "assert f(1) == 2")
ASSERTION = 'Traceback (most recent call last):\n  File "/code/main.py", line 4, in <module>\n    assert f(1) == 2\n           ^^^^^^^^^\nAssertionError\n'


def _result(stderr: str = "", **changes: Any) -> CodeResult:
    fields: dict[str, Any] = {
        "language": "python", "ended": "exit", "exit_code": 1, "signal": None, "stdout": Stream(text="", num_bytes=0, is_cut=False),
        "stderr": Stream(text=stderr, num_bytes=len(stderr), is_cut=False), "seconds": 19.6, "cpu_seconds": 0.1, "peak_bytes": None, "tests": "failed",
    }  # fmt: skip
    return CodeResult(**{**fields, **changes})


@pytest.mark.parametrize(
    ("result", "outcome", "reason"),
    [
        (_result(exit_code=0, tests="passed"), "correct", "the prompt's tests pass"),
        (_result(ASSERTION), "incorrect", "the prompt's tests fail: AssertionError in assert f(1) == 2"),
        (_result("SyntaxError: invalid syntax\n"), "incorrect", "SyntaxError"),
        (
            _result("main.cjs:3\n  throw new Error('no')\n\nError: no\n    at Object.<anonymous>\n\nNode.js v20\n"),
            "incorrect",
            "Error: no",
        ),
        (_result(ended="time", exit_code=None), "incorrect", "did not end within 20 s"),
        (_result("NameError: name 'f' is not defined\n"), "cannot-tell", "NameError"),
        (_result("ModuleNotFoundError: No module named 'numpy'\n"), "cannot-tell", "numpy"),
        (_result("EOFError: EOF when reading a line\n"), "cannot-tell", "EOFError"),
        (_result(ended="memory", exit_code=None), "cannot-tell", "memory"),
        (_result(ended="signal", exit_code=None, signal="SIGSEGV"), "cannot-tell", "SIGSEGV"),
        (_result(exit_code=0), "cannot-tell", "before the prompt's tests"),
    ],
)
def test_an_outcome_is_claimed_only_where_the_program_is_the_cause(result: CodeResult, outcome: str, reason: str) -> None:
    told = check_reply("```python\ndef f(x): ...\n```", TESTS, lambda *_: result)
    assert told[0] == outcome
    assert reason in told[1]


def test_a_reply_without_code_cannot_be_told() -> None:
    assert check_reply("Use the function f.", TESTS, lambda *_: pytest.fail("it ran")) == (
        "cannot-tell",
        "no python code block was found",
    )


def test_all_blocks_together_are_tried_when_the_longest_fails() -> None:
    ran: list[str] = []

    def run(_language: str, program: str, _tests: str) -> CodeResult:
        ran.append(program)
        return _result(exit_code=0, tests="passed") if "x = 1" in program else _result("NameError: name 'x' is not defined")

    assert check_reply("```py\nx = 1\n```\n```py\ndef f(y): return x + y\n```", TESTS, run)[0] == "correct"
    assert ran == ["def f(y): return x + y", "x = 1\n\ndef f(y): return x + y"]


def _pair(prompt: str, first: str, second: str) -> Pair:
    context = [Message(role="user", content=prompt)]
    low, high = sorted([first, second])
    return Pair(pair_id=hashlib.sha256(prompt.encode()).hexdigest()[:32], context=context, first=low, second=high, label="first")


def test_each_reply_of_a_pair_with_tests_is_checked_and_others_are_left_alone() -> None:
    with_tests = _pair("assert f(1) == 2", "```python\nright\n```", "```python\nwrong\n```")
    without = _pair("Write f.", "```python\nright\n```", "no")

    def run(_language: str, program: str, _tests: str) -> CodeResult:
        return _result(exit_code=0, tests="passed") if program == "right" else _result(ASSERTION)

    checks = execute_pairs([with_tests, without, with_tests], run=run)

    assert [check.pair_id for check in checks] == [with_tests.pair_id] * 2
    outcomes = {check.side: check.outcome for check in checks}
    right = "first" if "right" in str(with_tests.first) else "second"
    assert outcomes == {right: "correct", ({"first", "second"} - {right}).pop(): "incorrect"}
    assert {check.model for check in checks} == {"sandbox"}


def test_a_run_that_failed_is_a_failure_and_no_outcome() -> None:
    def busy(*_: str) -> CodeResult:
        raise SandboxBusy("busy")

    def off(*_: str) -> CodeResult:
        raise SandboxOff("off")

    pair = _pair("assert f(1) == 2", "```python\na\n```", "```python\nb\n```")
    assert {(check.outcome, check.failure) for check in execute_pairs([pair], run=busy)} == {(None, "SandboxBusy")}
    with pytest.raises(SandboxOff):
        execute_pairs([pair], run=off)
