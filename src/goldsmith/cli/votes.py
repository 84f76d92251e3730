"""`goldsmith votes import | export | sync`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar

import click

from goldsmith.cli.output import emit, json_option, workspace_option

FORMATS = ("jsonl", "csv", "parquet", "label-studio", "argilla", "potato")
PARTIAL = 3
F = TypeVar("F", bound=Callable[..., Any])
blind_option = click.option("--blind", is_flag=True, help="Leave out what judges and reward models say.")


def _format_option(default: str, told: str) -> Callable[[F], F]:
    return click.option(
        "--format", "format_", type=click.Choice([default, *FORMATS]), default=default, show_default=True, help=told
    )


@click.group()
def command() -> None:
    """Pairs and votes, out and in."""


@command.command("import", short_help="Store the votes of a file.")
@click.argument("file", type=click.Path(path_type=Path))
@_format_option("auto", "What FILE is; auto: told by its content.")
@workspace_option
@json_option
def import_(file: Path, format_: str, workspace: str, as_json: bool) -> int:
    """Store the votes of FILE, or of a folder of Argilla or Potato; a vote that is there already is not stored twice.

    A file that cannot be read whole changes nothing. Votes that contradict each other or a stored vote are named and not stored (exit code 3).
    """
    from goldsmith.gold import import_votes
    from goldsmith.store import Workspace

    result = import_votes(Workspace(workspace), file, format_)
    emit(result, f"{file}: {_told(result)}\n  next: goldsmith run", as_json)
    return PARTIAL if _is_partial(result) else 0


@command.command()
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), required=True, help="The file to write; the folder for argilla and potato."
)
@_format_option("queue", "queue: the pairs that wait, for a tool of your own; the others hold pairs, votes and suggestions.")
@click.option(
    "--pairs",
    "which",
    type=click.Choice(["all", "open", "voted"]),
    default="all",
    show_default=True,
    help="all: asked about or voted on; open: waiting for first votes; voted: with a vote.",
)
@blind_option
@workspace_option
@json_option
def export(out: Path, format_: str, which: Literal["all", "open", "voted"], blind: bool, workspace: str, as_json: bool) -> None:
    """Write pairs, votes and suggestions, and say what the other side cannot hold."""
    from goldsmith.gold import export_queue, export_votes
    from goldsmith.store import Workspace

    if format_ == "queue":
        waiting = export_queue(Workspace(workspace), out)
        emit(waiting, f"{out}: {waiting['pairs']} pairs wait for votes", as_json)
        return
    result = export_votes(Workspace(workspace), out, format_, which=which, suggestions=not blind)
    lines = [f"{out}: {result['pairs']} pairs, {result['votes']} votes, {result['suggestions']} suggestions"]
    if result["carried"]:
        lines.append(f"  kept there and given back, but not shown: {_listed(result['carried'])}")
    if result["not_held"]:
        lines.append(f"  not held there, and left out: {_listed(result['not_held'])}")
    if result["votes_without_texts"]:
        lines.append(f"  left out, as the texts of their pairs are not in this workspace: {result['votes_without_texts']} votes")
    emit(result, "\n".join(lines), as_json)


@command.command()
@click.option("--label-studio", "url", help="Address of the server; default: annotate.label_studio.url.")
@click.option(
    "--project", type=click.IntRange(1), help="Its project; default: annotate.label_studio.project, or one that is made."
)
@blind_option
@workspace_option
@json_option
def sync(url: str | None, project: int | None, blind: bool, workspace: str, as_json: bool) -> int:
    """Send the pairs that wait for votes to a Label Studio server, and take the votes that were given there.

    The token is in the environment variable that annotate.label_studio.token_env names (LABEL_STUDIO_TOKEN). Run it as often as you like: nothing is sent
    or taken twice.
    """
    from goldsmith.gold.exchange.sync import sync_votes
    from goldsmith.store import Workspace

    result = sync_votes(Workspace(workspace), url, project=project, suggestions=not blind)
    lines = [
        f"{result['url']} project {result['project']}{' (made)' if result['created'] else ''}: {result['pushed']} pairs sent, "
        f"{result['there']} there already, {result['predictions']} suggestions sent",
        f"  taken: {_told(result)}",
        *(f"  cannot be read: {told}" for told in result["unreadable_tasks"]),
    ]
    emit(result, "\n".join(lines), as_json)
    return PARTIAL if _is_partial(result) else 0


def _told(result: dict[str, Any]) -> str:
    told = f"{result['votes']} votes, {result['new']} of them new"
    if result["pairs_brought"]:
        told += f"; {result['pairs_brought']} pairs came along that were not known"
    if result["not_asked_for"]:
        told += f"; {result['not_asked_for']} are on pairs that are not in the queue (check `pair_id`)"
    if result["dropped"]:
        told += f"; no votes: {_listed(result['dropped'])}"
    for name, what in (("contradictions", "contradict each other"), ("conflicts", "say something else than what is stored")):
        for one in result[name]:
            about = ", ".join(str(one[key]) for key in ("pair_id", "annotator", "round", "vote_id", "votes") if key in one)
            told += f"\n  not stored, they {what}: {about}"
    return told


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def _is_partial(result: dict[str, Any]) -> bool:
    return bool(result["contradicting"] or result["conflicting"] or result["changed_there"] or result.get("num_unreadable"))
