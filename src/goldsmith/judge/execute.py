"""Pre-verification by running: the program of a reply against the tests of its prompt, in the sandbox, before a person reads it.

*correct* is said when the tests pass, and *incorrect* when the program was run and does not do what they ask. Whatever may be the
fault of the tests, of this machine, or of the way the program was found in the reply, is *cannot-tell*.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from goldsmith.config.sandbox import SandboxConfig
from goldsmith.errors import GoldsmithError
from goldsmith.judge.programs import PromptTests, programs_of, prompt_tests
from goldsmith.retrieve.text import plain_text
from goldsmith.sandbox import CodeResult, run_code
from goldsmith.sandbox.check import SandboxOff
from goldsmith.types import Check, CheckOutcome, Pair, Side

CHECKER = "sandbox"
"""What stands as the model in the checks."""
CODING = "coding"
LONGEST_REASON = 300
SIDES: tuple[Side, Side] = ("first", "second")
UNDECIDED = (
    "NameError", "ReferenceError", "ModuleNotFoundError", "ImportError", "EOFError", "MemoryError", "OSError", "PermissionError", "FileNotFoundError",
    "ConnectionRefusedError", "BlockingIOError", "socket.gaierror", "urllib.error.URLError", "Error [ERR_MODULE_NOT_FOUND]", "Error: Cannot find module",
)  # fmt: skip
"""Complaints that need not be the program's fault: a name the prompt never gave; a library, a file, a network or a person that is not here."""
Run = Callable[[str, str, str], CodeResult]


def execute_pairs(
    pairs: Sequence[Pair],
    config: SandboxConfig | None = None,
    progress: Callable[[int, int], None] | None = None,
    run: Run | None = None,
) -> list[Check]:
    """Return what running says of each reply: two checks for each pair whose prompt has tests, none for others, by pair and side.

    Args:
        pairs: objective coding pairs.
        config: the `[sandbox]` section.
        progress: called with (pairs done, pairs).
        run: runs a program with tests; none: the sandbox.

    Raises:
        SandboxOff: there is no sandbox here.
    """
    run = run or partial(_in_sandbox, config or SandboxConfig())
    distinct = sorted({pair.pair_id: pair for pair in pairs}.values(), key=lambda pair: pair.pair_id)
    checks: list[Check] = []
    for done, pair in enumerate(distinct, 1):
        tests = prompt_tests([message.model_dump() for message in pair.context], pair.meta)
        if tests is not None:
            checks += [_check(pair, side, tests, run) for side in SIDES]
        if progress is not None:
            progress(done, len(distinct))
    return checks


def check_reply(reply: str, tests: PromptTests, run: Run) -> tuple[CheckOutcome, str]:
    """Return the outcome and the reason for one reply.

    Raises:
        GoldsmithError: the program could not be run.
    """
    programs = programs_of(reply, tests.language)
    if not programs:
        return "cannot-tell", f"no {tests.language} code block was found"
    results = []
    for program in programs:
        result = run(tests.language, program, tests.code)
        if result.tests == "passed":
            return "correct", "the prompt's tests pass"
        results.append(result)
    # The whole of the reply's code is read last; its complaint is the one that no missing part explains.
    return _failing(results[-1])


def _failing(result: CodeResult) -> tuple[CheckOutcome, str]:
    if result.ended == "time":
        return "incorrect", f"the prompt's tests did not end within {result.seconds:.0f} s"
    if result.ended != "exit":
        return "cannot-tell", f"the run was stopped: {result.signal or result.ended}"
    if result.exit_code == 0:
        return "cannot-tell", "the program ended before the prompt's tests did"
    complaint = _complaint(result.stderr.text)
    if not complaint or complaint.startswith(UNDECIDED):
        return "cannot-tell", f"the program could not be run: {complaint or 'it said nothing'}"[:LONGEST_REASON]
    return "incorrect", f"the prompt's tests fail: {complaint}"[:LONGEST_REASON]


def _complaint(stderr: str) -> str:
    """The line that names the error, and the line of code that Python shows above it."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [
        at
        for at, line in enumerate(lines)
        if line.split(":")[0].split(" ")[0].endswith(("Error", "Exception", "Interrupt", "Exit"))
    ]
    if not errors:
        return lines[-1] if lines else ""
    at = errors[-1]
    shown = (
        next((line for line in reversed(lines[:at]) if line.startswith("assert ")), "")
        if lines[at].startswith("AssertionError")
        else ""
    )
    return f"{lines[at]} in {shown}" if shown else lines[at]


def _check(pair: Pair, side: Side, tests: PromptTests, run: Run) -> Check:
    reply = plain_text(pair.first if side == "first" else pair.second)
    try:
        outcome, reason = check_reply(reply, tests, run)
    except SandboxOff:
        raise
    except GoldsmithError as error:
        return Check(pair_id=pair.pair_id, side=side, model=CHECKER, outcome=None, failure=type(error).__name__)
    return Check(pair_id=pair.pair_id, side=side, model=CHECKER, outcome=outcome, reason=reason)


def _in_sandbox(config: SandboxConfig, language: str, program: str, tests: str) -> CodeResult:
    return run_code(language, program, tests, config=config)
