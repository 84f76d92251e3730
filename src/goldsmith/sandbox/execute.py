"""One program in one sandbox: started, watched, and told as a result. Whoever calls it has made sure that the sandbox holds."""

from __future__ import annotations

import os
import secrets
import signal

from goldsmith.sandbox.account import Account
from goldsmith.sandbox.isolation import CODE, parts_of
from goldsmith.sandbox.languages import Language, with_tests
from goldsmith.sandbox.launch import Program, launch
from goldsmith.sandbox.limits import Limits
from goldsmith.sandbox.result import CodeResult, Ended, TestOutcome
from goldsmith.sandbox.watch import Watched, watch

SIGNALLED = 128
"""What bubblewrap, like a shell, adds to the number of the signal that ended a program."""
WORD_BYTES = 16


def execute(language: Language, path: str, source: str, tests: str | None, limits: Limits, account: Account) -> CodeResult:
    """Return what a program did.

    Args:
        language: of code and tests.
        path: of the program that runs it.
        source: the code.
        tests: code that is run behind it, in the same program; None: there are none.
        limits: what it may use.
        account: as whom.

    Raises:
        SandboxFailure: the sandbox could not be made; the program has not run.
    """
    word_fd, word_out = os.pipe()
    word = secrets.token_hex(WORD_BYTES)
    text = source if tests is None else with_tests(language, source, tests, word, word_out)
    file = f"{CODE}/{language.file_name(text)}"
    command = language.command(path, file, limits)
    program = Program(text=text, file=file, command=command, folders=parts_of(path), word_out=word_out)
    try:
        running = launch(program, limits, account, word_fd)
    except BaseException:
        os.close(word_fd)
        raise
    finally:
        os.close(word_out)
    try:
        seen = watch(running, limits)
        has_signed_off = tests is not None and os.read(word_fd, 2 * WORD_BYTES) == word.encode()
    finally:
        running.close()
    return _result(language, seen, has_signed_off if tests is not None else None)


def _result(language: Language, seen: Watched, has_signed_off: bool | None) -> CodeResult:
    ended, exit_code, signal_name = _ending(seen)
    tests: TestOutcome | None = None
    if has_signed_off is not None:
        tests = "passed" if has_signed_off and exit_code == 0 else "failed"
    return CodeResult(
        language=language.name,
        ended=ended,
        exit_code=exit_code,
        signal=signal_name,
        stdout=seen.stdout.stream(),
        stderr=seen.stderr.stream(),
        seconds=round(seen.seconds, 3),
        cpu_seconds=round(seen.cpu_s, 3),
        peak_bytes=seen.peak_bytes or None,
        tests=tests,
    )


def _ending(seen: Watched) -> tuple[Ended, int | None, str | None]:
    """How it ended: (why, exit code, signal)."""
    if seen.stopped is not None:
        return seen.stopped, None, None
    code = os.waitstatus_to_exitcode(seen.status)
    number = -code if code < 0 else code - SIGNALLED
    if number not in {known.value for known in signal.Signals}:
        return "exit", code, None
    name = signal.Signals(number).name
    return ("time", None, None) if number == signal.SIGXCPU else ("signal", None, name)
