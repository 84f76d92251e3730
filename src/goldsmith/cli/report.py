"""`goldsmith report`."""

from __future__ import annotations

import click

from goldsmith.cli.output import emit, json_option, workspace_option


@click.command()
@workspace_option
@json_option
def command(workspace: str, as_json: bool) -> None:
    """Write the report of the last run from its tables, finished or not."""
    from goldsmith.curate import write_report
    from goldsmith.store import Workspace

    path = write_report(Workspace(workspace))
    emit({"report": str(path)}, str(path), as_json)
