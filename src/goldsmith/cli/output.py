"""How verbs print: with `--json` one JSON value on stdout, whatever happens, and everything else on stderr."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from contextvars import ContextVar
from typing import Any, TextIO, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])
STDOUT, STDERR = 1, 2
_reserved: ContextVar[TextIO | None] = ContextVar("reserved", default=None)
"""The stream that is kept for JSON alone, while a verb runs with `--json`."""


def json_option(function: F) -> F:
    """Add `--json` to a verb."""
    return click.option("--json", "as_json", is_flag=True, help="Print the result as JSON on stdout.")(function)


def workspace_option(function: F) -> F:
    """Add `--workspace` to a verb."""
    return click.option(
        "-w", "--workspace", default=".", show_default=True, type=click.Path(file_okay=False), help="The workspace."
    )(function)


def emit(result: Any, text: str, as_json: bool) -> None:
    """Print `result` as JSON, or `text`."""
    shown = json.dumps(_finite(result), ensure_ascii=False, indent=1, default=str) if as_json else text
    # A file's name need not be UTF-8; what is printed must be.
    click.echo(shown.encode("utf-8", "backslashreplace").decode("utf-8"), file=_reserved.get())


def emit_failure(kind: str, name: str, message: str, exit_code: int) -> None:
    """Print why there is no result: always `{kind: {"type", "message", "exit_code"}}`, where kind is `error` or `waiting`."""
    emit({kind: {"type": name, "message": message, "exit_code": exit_code}}, "", as_json=True)


@contextmanager
def stdout_for_json() -> Iterator[None]:
    """Keep stdout for `emit`: whatever a library prints meanwhile, in Python or beneath it, goes to stderr."""
    sys.stdout.flush()
    kept = os.dup(STDOUT)
    is_real = sys.stdout is sys.__stdout__
    with open(kept, "w", encoding="utf-8") as stream:
        token = _reserved.set(stream if is_real else sys.stdout)
        os.dup2(STDERR, STDOUT)
        try:
            with redirect_stdout(sys.stderr):
                yield
        finally:
            _reserved.reset(token)
            try:
                stream.flush()
            except BrokenPipeError:  # nobody reads any more: what is left to write goes nowhere
                os.dup2(os.open(os.devnull, os.O_WRONLY), kept)
            os.dup2(kept, STDOUT)


def _finite(value: Any) -> Any:
    """`value` with null for what JSON has no number for."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _finite(inner) for key, inner in value.items()}
    return [_finite(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def table(rows: Sequence[tuple[str, ...]], head: tuple[str, ...] | None = None) -> str:
    """Return rows as aligned text columns; the first column to the left, the others to the right."""
    lines = [*([head] if head else []), *rows]
    if not lines:
        return ""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
