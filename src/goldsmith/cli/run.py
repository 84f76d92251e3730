"""`goldsmith run`."""

from __future__ import annotations

import click

from goldsmith.cli.output import emit, json_option, workspace_option


@click.command()
@click.option("--restart", is_flag=True, help="Begin a new run although the configuration changed since the unfinished one.")
@click.option("--watch", is_flag=True, help="Wait for people instead of stopping with exit code 4, and go on when they are done.")
@workspace_option
@json_option
def command(restart: bool, watch: bool, workspace: str, as_json: bool) -> None:
    """Run every stage that is not up to date, to the report."""
    from goldsmith.curate import run
    from goldsmith.curate.watch import run_watching
    from goldsmith.progress import ConsoleProgress
    from goldsmith.store import Workspace

    with ConsoleProgress() as progress:
        work = run_watching if watch else run
        result = work(Workspace(workspace), restart=restart, progress=progress)
    did = f"{len(result.steps_run)} stages ran" if result.steps_run else "everything was up to date"
    emit(result.model_dump(mode="json"), f"run {result.run}: done, {did}\nreport: {result.report}", as_json)
