"""Writes the reference pages that are made from the code: `docs/configuration.md` and `docs/cli.md`.

Usage:
    python docs/generate.py            write them
    python docs/generate.py --check    end with 1 when one is stale
"""

from __future__ import annotations

import sys
import types
import typing
from pathlib import Path
from typing import Any

import click
from pydantic import BaseModel

from goldsmith.cli.main import goldsmith
from goldsmith.config import GoldsmithConfig

DOCS = Path(__file__).parent


def configuration() -> str:
    """Return the page of every key of `goldsmith.toml`."""
    lines = [
        "# Configuration",
        "",
        "Every key of `goldsmith.toml`, with its default. An unknown key is an error. Made from the code by `docs/generate.py`.",
        "",
    ]
    sections: list[tuple[str, type[BaseModel]]] = [("", GoldsmithConfig)]
    while sections:
        name, model = sections.pop(0)
        inner = [
            (f"{name}.{key}".lstrip("."), found)
            for key, field in model.model_fields.items()
            if (found := _section(field.annotation))
        ]
        lines += [
            f"## `[{name}]`" if name else "## Top level",
            "",
            (model.__doc__ or "").split("\n")[0],
            "",
            "| key | type | default | meaning |",
            "|---|---|---|---|",
        ]
        for key, field in model.model_fields.items():
            if _section(field.annotation) is None:
                default = "required" if field.is_required() else f"`{_shown(field.get_default(call_default_factory=True))}`"
                lines.append(
                    f"| `{key}` | `{_type(field.annotation)}` | {default} | {' '.join((field.description or '').split())} |"
                )
        lines.append("")
        sections[:0] = inner
    return "\n".join(lines)


def cli() -> str:
    """Return the page of every verb's help."""
    lines = [
        "# Command line",
        "",
        "Human text goes to stderr or as text to stdout, `--json` prints the result as JSON. Made from the code by `docs/generate.py`.",
        "",
    ]
    lines += [
        "Exit codes: 0 done, 1 user error, 2 usage, 3 partial result, 4 waiting for humans, 130 interrupted.",
        "",
        "A row that cannot be used is counted with its reason, whatever the verb. Verbs whose output answers row by row (`score`, `judge`, "
        "`attributes`, `clean`, `eval`, `votes`) then end with 3, as an answer is missing; those that make one thing of many rows "
        "(`pool add`, `train`, `models calibrate`) end with 0 and print what they left out, and with 1 when nothing is left.",
        "",
    ]
    for path, command in _commands("goldsmith", goldsmith):
        with click.Context(command, info_name=path) as context:
            lines += [f"## `{path}`", "", "```", command.get_help(context).rstrip(), "```", ""]
    return "\n".join(lines)


def _commands(path: str, command: click.Command) -> list[tuple[str, click.Command]]:
    found = [(path, command)]
    if isinstance(command, click.Group):
        with click.Context(command) as context:
            for name in command.list_commands(context):
                inner = command.get_command(context, name)
                assert inner is not None
                found += _commands(f"{path} {name}", inner)
    return found


def _section(annotation: Any) -> type[BaseModel] | None:
    """The section a key holds, alone or in a list."""
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return annotation if issubclass(annotation, BaseModel) else None
    return next((found for argument in typing.get_args(annotation) if (found := _section(argument))), None)


def _type(annotation: Any) -> str:
    text = annotation.__name__ if isinstance(annotation, type) and not typing.get_args(annotation) else str(annotation)
    for prefix in ("typing.", "pathlib.", "_local.", "pathlib._local."):
        text = text.replace(prefix, "")
    return text.replace("|", "or")


def _shown(value: Any) -> str:
    return "none" if value is None else str(value)


def main() -> int:
    """Write or check the pages."""
    stale = []
    for name, text in (("configuration.md", configuration()), ("cli.md", cli())):
        page = DOCS / name
        if not page.is_file() or page.read_text(encoding="utf-8") != text:
            stale.append(name)
            if "--check" not in sys.argv:
                page.write_text(text, encoding="utf-8")
    if stale and "--check" in sys.argv:
        print(f"stale: {', '.join(stale)}; run `python docs/generate.py`")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
