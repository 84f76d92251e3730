"""`goldsmith run`."""

from __future__ import annotations

import click

from goldsmith.cli.output import emit, json_option, workspace_option


@click.command()
@click.option("--restart", is_flag=True, help="Begin a new run although the configuration changed since the unfinished one.")
@workspace_option
@json_option
def command(restart: bool, workspace: str, as_json: bool) -> None:
    """Run every stage that is not up to date, to the report."""
    from goldsmith.curate import run
    from goldsmith.progress import ConsoleProgress
    from goldsmith.store import Workspace

    with ConsoleProgress() as progress:
        result = run(Workspace(workspace), restart=restart, progress=progress)
    did = f"{len(result.steps_run)} stages ran" if result.steps_run else "everything was up to date"
    emit(result.model_dump(mode="json"), f"run {result.run}: done, {did}\nreport: {result.report}", as_json)
