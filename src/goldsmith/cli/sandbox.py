"""`goldsmith sandbox check` and `goldsmith sandbox run FILE`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from goldsmith.cli.output import emit, json_option

if TYPE_CHECKING:
    from goldsmith.config.sandbox import SandboxConfig
    from goldsmith.sandbox import CodeResult, SandboxReport

SUFFIXES = {".py": "python", ".js": "javascript", ".mjs": "javascript", ".cjs": "javascript"}
MB = 1 << 20


def config_options(function: click.decorators.FC) -> click.decorators.FC:
    """Add `--config` and `--set` to a verb."""
    function = click.option(
        "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="A key of [sandbox], for example memory_mb=1024."
    )(function)
    return click.option(
        "--config",
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        help="A goldsmith.toml whose [sandbox] section counts.",
    )(function)


@click.group()
def command() -> None:
    """Run code that nobody has read in a sandbox, or say whether there is one here."""


@command.command()
@config_options
@json_option
def check(config: Path | None, overrides: tuple[str, ...], as_json: bool) -> int:
    """Try out every protection on this machine; exit code 1 when code cannot be run here."""
    from goldsmith.sandbox import check_sandbox

    report = check_sandbox(_settings(config, overrides))
    emit(report.model_dump(), _report_text(report), as_json)
    return 0 if report.works else 1


@command.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--tests",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Tests that are run behind the code, in the same program.",
)
@click.option("--language", help="python or javascript; by the file's name unless set.")
@config_options
@json_option
def run(
    file: Path, tests: Path | None, language: str | None, config: Path | None, overrides: tuple[str, ...], as_json: bool
) -> int:
    """Run FILE in the sandbox; exit code 3 when it did not end with 0, or its tests failed."""
    from goldsmith.errors import UserError
    from goldsmith.sandbox import run_code

    name = language or SUFFIXES.get(file.suffix.lower())
    if name is None:
        raise UserError(
            f"{file}: '{file.suffix}' is no known kind of program ({', '.join(SUFFIXES)}); say --language python or javascript"
        )
    source = file.read_text(encoding="utf-8", errors="replace")
    behind = None if tests is None else tests.read_text(encoding="utf-8", errors="replace")
    result = run_code(name, source, behind, config=_settings(config, overrides))
    emit(result.model_dump(), _result_text(result), as_json)
    return 0 if result.is_clean and result.tests != "failed" else 3


def _settings(config: Path | None, overrides: tuple[str, ...]) -> SandboxConfig:
    from goldsmith.config import load_config

    return load_config([config] if config else [], [f"sandbox.{override}" for override in overrides]).sandbox


def _report_text(report: SandboxReport) -> str:
    lines = [f"the sandbox works, as user {report.uid}" if report.works else f"there is no sandbox: {report.why_not}"]
    lines += [f"  {name}: {told}" for name, told in report.languages.items()]
    lines += [f"  {name}: {'holds' if held else 'DOES NOT HOLD'}" for name, held in report.protections.items()]
    group = (
        "each run has one" if report.has_group else "none (this process may not make one); limits of processes and the watch hold"
    )
    return "\n".join([*lines, f"  control group: {group}"])


def _result_text(result: CodeResult) -> str:
    ended = f"exit code {result.exit_code}" if result.ended == "exit" else f"ended by {result.signal or result.ended}"
    peak = "" if result.peak_bytes is None else f", {result.peak_bytes / MB:,.0f} MB"
    tests = f", tests {result.tests}" if result.tests else ""
    parts = []
    for name, stream in (("stdout", result.stdout), ("stderr", result.stderr)):
        cut = f" (the first part of {stream.num_bytes:,} bytes)" if stream.is_cut else ""
        parts += [f"{name}{cut}:", stream.text.rstrip("\n")] if stream.num_bytes else []
    return "\n".join([*parts, f"{ended}{tests}; {result.seconds:.2f} s, {result.cpu_seconds:.2f} s of computing{peak}"])
