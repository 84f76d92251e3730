"""`goldsmith`: finds the verb, loads only its file, and turns every failure into a message and an exit code."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
import traceback
from importlib import import_module
from pathlib import Path

import click

from goldsmith.errors import GoldsmithError
from goldsmith.version import code_version

VERBS = {
    "init": "Make a workspace: a folder with a commented goldsmith.toml.",
    "pool": "Add preference pairs to the pool, in any known format.",
    "run": "Run every stage that is not up to date; exit code 4 when people are needed.",
    "status": "Show which stage the workspace is at, what is waiting, and what it has cost.",
    "why": "Print the whole life of one pair.",
    "votes": "Import votes, or export the queue of pairs that wait for them.",
    "audit": "Say what is in a file of preference pairs.",
    "train": "Train a reward model on a file of pairs.",
    "score": "Score a file of pairs, conversations or candidates with a reward model.",
    "report": "Write the report of the last run again.",
    "models": "Install the embedded models; convert and calibrate reward models.",
}
INTERRUPTED = 130


class LazyGroup(click.Group):
    """A group that imports a verb's module when the verb is called, so that `--help` stays fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs, in the order of use."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb's command, or None when there is none of that name."""
        if cmd_name not in VERBS:
            return None
        command = import_module(f"goldsmith.cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs without importing any."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(code_version(), prog_name="goldsmith")
def goldsmith() -> None:
    """Curate preference pairs, train reward models on them, and measure both."""


def main() -> None:
    """Run the command line; the process ends with an exit code of the contracts."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code: 0 done, 1 user error, 2 usage, 3 partial, 4 waiting for people, 130 interrupted."""
    try:
        outcome = goldsmith.main(arguments, prog_name="goldsmith", standalone_mode=False)
        return outcome if isinstance(outcome, int) else 0
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        print("interrupted; what was finished is kept, and the same command goes on from there", file=sys.stderr)
        return INTERRUPTED
    except GoldsmithError as error:
        prefix = "waiting" if error.exit_code == 4 else "error"
        print(f"{prefix}: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # the last boundary: a bug must end in a message, with the trace in a file
        return _unexpected(error)


def _unexpected(error: Exception) -> int:
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        print(
            f"error: no space left on the disk ({error.filename or 'while writing'}); free some and run the same command again",
            file=sys.stderr,
        )
        return 1
    with tempfile.NamedTemporaryFile("w", prefix="goldsmith-error-", suffix=".txt", delete=False, encoding="utf-8") as trace:
        traceback.print_exc(file=trace)
    print(
        f"error: a bug in Goldsmith: {type(error).__name__}: {error}\n  the trace is in {Path(trace.name)}; please report it",
        file=sys.stderr,
    )
    return 1
