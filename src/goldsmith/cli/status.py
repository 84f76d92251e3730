"""`goldsmith status`."""

from __future__ import annotations

import click

from goldsmith.cli.output import emit, json_option, table, workspace_option


@click.command()
@workspace_option
@json_option
def command(workspace: str, as_json: bool) -> None:
    """Show the stages, what is waiting, and what it has cost."""
    from goldsmith.curate import status
    from goldsmith.store import Workspace

    found = status(Workspace(workspace))
    stages = table(
        [(stage.name, stage.state, f"{stage.seconds:.1f} s" if stage.seconds is not None else "") for stage in found.stages]
    )
    emit(found.model_dump(mode="json"), f"{stages}\n\n" + "\n".join(found.lines), as_json)
