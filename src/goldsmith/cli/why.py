"""`goldsmith why PAIR_ID`."""

from __future__ import annotations

import click

from goldsmith.cli.output import emit, json_option, workspace_option


@click.command()
@click.argument("pair_id")
@workspace_option
@json_option
def command(pair_id: str, workspace: str, as_json: bool) -> None:
    """Print the whole life of one pair: source, attributes, votes, verdicts, scores, decisions. The start of an id is enough."""
    from goldsmith.curate import why
    from goldsmith.store import Workspace

    life = why(Workspace(workspace), pair_id)
    emit(life.model_dump(mode="json"), "\n".join(f"{event.stage:<14}{event.text}" for event in life.events), as_json)
