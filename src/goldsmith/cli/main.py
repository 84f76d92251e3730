"""`goldsmith`: finds the verb, loads only its file, and turns every failure into a message and an exit code."""

from __future__ import annotations

import difflib
import errno
import os
import sys
import tempfile
import traceback
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path

import click

from goldsmith.cli.output import emit_failure, stdout_for_json
from goldsmith.errors import GoldsmithError, WaitingForHumans
from goldsmith.version import code_version

VERBS = {
    "init": "Make a workspace: a folder with a commented goldsmith.toml.",
    "pool": "Add preference pairs to the pool, in any known format.",
    "run": "Run every stage that is not up to date; exit code 4 when people are needed.",
    "status": "Show which stage the workspace is at, what is waiting, and what it has cost.",
    "why": "Print the whole life of one pair.",
    "annotate": "Serve the annotation room; invite people; show and export what they have done.",
    "votes": "Exchange pairs and votes with files and with Label Studio, Argilla and Potato.",
    "clean": "Keep, flip or drop the pairs of any dataset, with reasons.",
    "plan": "Say what more human labels or LLM calls are expected to bring, and where to put them.",
    "audit": "Say what is in a file of preference pairs.",
    "attributes": "Write the five attributes of each pair of a file.",
    "judge": "Judge the pairs of a file with LLMs or recorded verdicts.",
    "train": "Train a reward model on a file of pairs.",
    "score": "Score a file of pairs, conversations or candidates with a reward model.",
    "eval": "Evaluate reward models and judges on the seven benchmarks.",
    "export": "Write a reward model for ONNX Runtime, OpenVINO or GPUs, and compare its scores.",
    "bench-deploy": "Measure every way to deploy a reward model on this machine.",
    "serve": "Serve reward models over HTTP.",
    "serve-key": "Make or withdraw an API key of a server.",
    "verify-server": "Check that a running server gives a model's golden scores.",
    "sandbox": "Run code that nobody has read, apart from everything; say whether this machine can.",
    "report": "Write the report of the last run again.",
    "models": "Install the embedded models; convert and calibrate reward models.",
}
INTERRUPTED = 130
STDOUT = 1


class LazyGroup(click.Group):
    """A group that imports a verb's module when the verb is called, so that `--help` stays fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs, in the order of use."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb's command, or None when there is none of that name."""
        if cmd_name not in VERBS:
            close = difflib.get_close_matches(cmd_name, VERBS, n=1)
            hint = f"Did you mean '{close[0]}'?" if close else f"There are {', '.join(VERBS)}."
            raise click.UsageError(f"No such command '{cmd_name}'. {hint}", ctx)
        command = import_module(f"goldsmith.cli.{cmd_name.replace('-', '_')}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs without importing any."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.command(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 error, 2 wrong use, 3 partial result, 4 waiting for people, 130 interrupted.",
)
@click.version_option(code_version(), prog_name="goldsmith")
def goldsmith() -> None:
    """Curate preference pairs, train reward models on them, and measure both."""


def main() -> None:
    """Run the command line; the process ends with an exit code of the contracts."""
    exit_code = run(sys.argv[1:])
    if exit_code == INTERRUPTED or "TORCHELASTIC_RUN_ID" in os.environ:
        # Engines that were stopped in the middle, and now and then the threads of processes that trained together, abort when Python
        # takes them down, and the code would be lost.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(exit_code)
    sys.exit(exit_code)


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code: 0 done, 1 user error, 2 usage, 3 partial, 4 waiting for people, 130 interrupted."""
    as_json = "--json" in arguments
    with ExitStack() as stack:
        if as_json:
            stack.enter_context(stdout_for_json())
        try:
            outcome = goldsmith.main(arguments, prog_name="goldsmith", standalone_mode=False)
            return outcome if isinstance(outcome, int) else 0
        except click.exceptions.Exit as stop:
            return stop.exit_code
        except (BrokenPipeError, SystemExit):  # click turns the one into the other
            os.dup2(os.open(os.devnull, os.O_WRONLY), STDOUT)
            return 0
        except (Exception, KeyboardInterrupt) as error:  # the last boundary: whatever happened ends in a message and a code
            return _failed(error, as_json)


def _failed(error: BaseException, as_json: bool) -> int:
    """Say what went wrong, on stderr and, with `--json`, as JSON; returns the exit code."""
    kind, name, message, exit_code = "error", type(error).__name__, str(error), 1
    if isinstance(error, click.ClickException):
        error.show()
        name, message, exit_code = "UsageError", error.format_message(), error.exit_code
    elif isinstance(error, (click.Abort, KeyboardInterrupt)):
        name, exit_code = "Interrupted", INTERRUPTED
        message = "interrupted; what was finished is kept, and the same command goes on from there"
        print(message, file=sys.stderr)
    elif isinstance(error, GoldsmithError) and error.is_echo:
        return error.exit_code
    elif isinstance(error, WaitingForHumans):
        kind, exit_code = "waiting", error.exit_code
        print(f"waiting: {message}", file=sys.stderr)
    else:
        exit_code = error.exit_code if isinstance(error, GoldsmithError) else 1
        message = message if isinstance(error, GoldsmithError) else _unexpected(error)
        print(f"error: {message}", file=sys.stderr)
    if as_json:
        emit_failure(kind, name, message, exit_code)
    return exit_code


def _unexpected(error: BaseException) -> str:
    """What to say of an error that nobody expected: the system's refusals are named, a bug's trace goes to a file."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"no space left on the disk ({error.filename or 'while writing'}); free some and run the same command again"
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}; check the path and its permissions, then run the same command again"
    if isinstance(error, MemoryError):
        return (
            "not enough memory; close other programs, or set engine.workers = 1 in goldsmith.toml, and run the same command again"
        )
    return f"a bug in Goldsmith: {type(error).__name__}: {error}\n  {_traced(error)}; please report it"


def _traced(error: BaseException) -> str:
    """Write the trace to a file and say where; a full disk is no reason to fail again."""
    try:
        with tempfile.NamedTemporaryFile("w", prefix="goldsmith-error-", suffix=".txt", delete=False, encoding="utf-8") as trace:
            traceback.print_exception(error, file=trace)
    except OSError as refusal:
        return f"the trace could not be written ({refusal.strerror})"
    return f"the trace is in {Path(trace.name)}"
