"""`goldsmith init DIR`."""

from __future__ import annotations

from pathlib import Path

import click

from goldsmith.cli.output import emit, json_option


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Start from this configuration instead of the commented default.",
)
@click.option(
    "--preset",
    metavar="NAME",
    default="article",
    show_default=True,
    help="How the commented default curates and trains: `article` or `paper`, as these tell it, or `goldsmith`, as measured best here.",
)
@json_option
def command(directory: Path, config: Path | None, preset: str, as_json: bool) -> None:
    """Make DIRECTORY a workspace; what is in it already stays."""
    from goldsmith.curate import init

    workspace = init(directory, config, preset)
    step = "run" if workspace.config.pool.sources else "pool add FILE"
    emit({"workspace": str(workspace.root)}, f"{workspace.root}: ready\n  next: cd {directory} && goldsmith {step}", as_json)
