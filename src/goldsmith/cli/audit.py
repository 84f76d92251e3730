"""`goldsmith audit FILE`."""

from __future__ import annotations

from pathlib import Path

import click

from goldsmith.cli.output import emit, json_option


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--benchmark",
    "benchmarks",
    multiple=True,
    type=click.Path(path_type=Path),
    help="An evaluation set to test for contamination against.",
)
@click.option(
    "--coverage/--no-coverage", default=True, show_default=True, help="Classify every prompt; about a hundred a second."
)
@json_option
def command(file: Path, benchmarks: tuple[Path, ...], coverage: bool, as_json: bool) -> None:
    """Say what is in a file of pairs: coverage, label origin, duplicates, contradictions, contamination, length and format bias."""
    from goldsmith.curate.audit import audit_file, audit_text

    result = audit_file(file, list(benchmarks), coverage=coverage)
    emit(result.model_dump(mode="json"), audit_text(result), as_json)
