"""`goldsmith votes import FILE` and `goldsmith votes export`."""

from __future__ import annotations

from pathlib import Path

import click

from goldsmith.cli.output import emit, json_option, workspace_option


@click.group()
def command() -> None:
    """Votes in, queue out."""


@command.command("import", short_help="Store the votes of a file.")
@click.argument("file", type=click.Path(path_type=Path))
@workspace_option
@json_option
def import_(file: Path, workspace: str, as_json: bool) -> None:
    """Store the votes of FILE; a vote that is there already is not stored twice."""
    from goldsmith.gold import import_votes
    from goldsmith.store import Workspace

    result = import_votes(Workspace(workspace), file)
    told = f"{file}: {result['votes']} votes, {result['new']} of them new"
    if result["not_asked_for"]:
        told += f"; {result['not_asked_for']} are on pairs that are not in the queue (check `pair_id`)"
    emit(result, f"{told}\n  next: goldsmith run", as_json)


@command.command()
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="The JSONL file to write.")
@workspace_option
@json_option
def export(out: Path, workspace: str, as_json: bool) -> None:
    """Write the pairs that wait for votes, most urgent first."""
    from goldsmith.gold import export_queue
    from goldsmith.store import Workspace

    result = export_queue(Workspace(workspace), out)
    emit(result, f"{out}: {result['pairs']} pairs wait for votes", as_json)
