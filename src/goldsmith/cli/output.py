"""How verbs print: JSON to stdout with `--json`, text for people otherwise."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


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
    click.echo(json.dumps(result, ensure_ascii=False, indent=1, default=str) if as_json else text)


def table(rows: list[tuple[str, ...]], head: tuple[str, ...] | None = None) -> str:
    """Return rows as aligned text columns; the first column to the left, the others to the right."""
    lines = ([head] if head else []) + rows
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
