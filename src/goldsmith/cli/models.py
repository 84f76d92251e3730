"""`goldsmith models install`."""

from __future__ import annotations

import click

from goldsmith.cli.output import emit, json_option


@click.group()
def command() -> None:
    """The embedded models."""


@command.command()
@json_option
def install(as_json: bool) -> None:
    """Bring the embedded models onto this machine; a second call does nothing."""
    from goldsmith.models import install_models

    result = install_models()
    emit(result, "\n".join(f"{name}: {told}" for name, told in result.items()), as_json)
