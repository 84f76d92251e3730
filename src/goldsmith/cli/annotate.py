"""`goldsmith annotate serve | people | known | docs | status | export`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import click

from goldsmith.cli.output import emit, json_option, table, workspace_option

PARTIAL = 3
ROLES = click.Choice(["annotator", "expert", "lead", "admin"])


@click.group()
def command() -> None:
    """The annotation room: where people vote."""


@command.command()
@click.option("--host", help="Address to listen on; default: annotate.host.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port, 0 for a free one; default: annotate.port.")
@workspace_option
@json_option
def serve(host: str | None, port: int | None, workspace: str, as_json: bool) -> None:
    """Serve the room until the process is stopped."""
    from goldsmith.annotate.serve import serve_annotation
    from goldsmith.store import Workspace

    serve_annotation(Workspace(workspace), host=host, port=port, told=lambda text: click.echo(text, err=True))
    emit({"stopped": True}, "stopped", as_json)


@command.group()
def people() -> None:
    """Who may vote, decide and lead."""


@people.command()
@click.argument("email")
@click.option("--role", type=ROLES, default="annotator", show_default=True, help="What the person may do.")
@click.option("--tag", "tags", multiple=True, help="A field the person knows, such as math; may be given several times.")
@workspace_option
@json_option
def invite(email: str, role: str, tags: tuple[str, ...], workspace: str, as_json: bool) -> None:
    """Print a link with which EMAIL makes an account."""
    from goldsmith.annotate.desk import invite_person
    from goldsmith.store import Workspace

    result = invite_person(Workspace(workspace), email, role=role, tags=tags)
    emit(result, f"{result['email']} becomes {result['role']} with {result['url']} (once, within two weeks)", as_json)


@people.command()
@click.argument("email")
@click.option("--name", required=True, help="Name that colleagues see.")
@click.option("--role", type=ROLES, default="annotator", show_default=True, help="What the person may do.")
@click.option("--tag", "tags", multiple=True, help="A field the person knows, such as math; may be given several times.")
@click.password_option(
    envvar="GOLDSMITH_PASSWORD", help="Asked for when not given; better the environment variable GOLDSMITH_PASSWORD."
)
@workspace_option
@json_option
def add(email: str, name: str, role: str, tags: tuple[str, ...], password: str, workspace: str, as_json: bool) -> None:
    """Make an account for EMAIL at once."""
    from goldsmith.annotate.desk import add_account
    from goldsmith.store import Workspace

    result = add_account(Workspace(workspace), email, name, password, role=role, tags=tags)
    emit(result, f"{result['email']} is {result['role']}", as_json)


@people.command("list")
@workspace_option
@json_option
def list_(workspace: str, as_json: bool) -> None:
    """List everybody."""
    from goldsmith.annotate.desk import people_of
    from goldsmith.store import Workspace

    found = people_of(Workspace(workspace))
    rows: list[tuple[str, ...]] = [(row["name"], row["email"], row["role"], ",".join(row["tags"]), row["state"]) for row in found]
    emit(found, table(rows, ("name", "address", "role", "tags", "state")), as_json)


@command.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option(
    "--use",
    type=click.Choice(["qualify", "check"]),
    default="check",
    show_default=True,
    help="qualify: shown to new annotators; check: hidden among ordinary pairs.",
)
@click.option(
    "--settled",
    type=click.IntRange(1),
    metavar="N",
    help="Instead of FILE: make N pairs of batches that passed the gate into checks.",
)
@workspace_option
@json_option
def known(file: Path | None, use: Literal["qualify", "check"], settled: int | None, workspace: str, as_json: bool) -> None:
    """Add pairs whose answer is known, from FILE or from what the room has settled."""
    from goldsmith.annotate.desk import add_known_answers, add_settled_answers
    from goldsmith.store import Workspace

    if (file is None) == (settled is None) or (settled is not None and use != "check"):
        raise click.UsageError("give either FILE, or --settled N (for checks)")
    if file is None:
        result = add_settled_answers(Workspace(workspace), settled or 0)
        emit(result, f"{result['new']} settled pairs are checks now", as_json)
        return
    result = add_known_answers(Workspace(workspace), file, use=use)
    emit(result, f"{file}: {result['rows']} pairs, {result['new']} of them new", as_json)


@command.group()
def docs() -> None:
    """Documents that people can search while they vote (annotate.tools.documents)."""


@docs.command("add")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(path_type=Path))
@workspace_option
@json_option
def docs_add(paths: tuple[Path, ...], workspace: str, as_json: bool) -> int:
    """Add text, Markdown and HTML files, and all in folders, to the index."""
    from goldsmith.annotate.documents import add_documents
    from goldsmith.store import Workspace

    found = add_documents(Workspace(workspace), paths, told=lambda text: click.echo(text, err=True))
    counted = ", ".join(f"{found[name]} {name}" for name in ("added", "changed", "unchanged", "empty"))
    emit(found, f"{found['files']} files: {counted}, {len(found['failed'])} failed", as_json)
    return PARTIAL if found["failed"] else 0


@docs.command("list")
@workspace_option
@json_option
def docs_list(workspace: str, as_json: bool) -> None:
    """List the documents of the index."""
    from goldsmith.annotate.documents import list_documents
    from goldsmith.store import Workspace

    found = list_documents(Workspace(workspace))
    rows: list[tuple[str, ...]] = [(row["path"], row["title"], str(row["passages"])) for row in found]
    emit(found, table(rows, ("document", "title", "passages")), as_json)


@docs.command("remove")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(path_type=Path))
@workspace_option
@json_option
def docs_remove(paths: tuple[Path, ...], workspace: str, as_json: bool) -> None:
    """Take documents, or those of folders, out of the index; the files stay."""
    from goldsmith.annotate.documents import remove_documents
    from goldsmith.store import Workspace

    found = remove_documents(Workspace(workspace), paths)
    emit(found, f"{found['removed']} documents are no longer in the index", as_json)


@command.command()
@workspace_option
@json_option
def status(workspace: str, as_json: bool) -> None:
    """Show progress, the gate of each batch, and what the lead should look at."""
    from goldsmith.annotate.desk import annotation_status
    from goldsmith.store import Workspace

    found = annotation_status(Workspace(workspace))
    emit(found, _told(found), as_json)


@command.command()
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="Folder for the CSV files.")
@workspace_option
@json_option
def export(out: Path, workspace: str, as_json: bool) -> None:
    """Write votes, gold, annotators, batches, coverage, throughput, tools, their uses and events as CSV files."""
    from goldsmith.annotate.desk import export_annotation
    from goldsmith.store import Workspace

    counts = export_annotation(Workspace(workspace), out)
    emit(counts, "\n".join(f"{out / name}.csv: {count} rows" for name, count in counts.items()), as_json)


def _told(found: dict[str, Any]) -> str:
    done = found["progress"]
    lines = [
        f"{done['gold']} gold, {done['discarded']} discarded, {done['disputed']} disputed, {done['open']} open; {done['votes_given']} of {done['votes_needed']} votes"
    ]
    rows: list[tuple[str, ...]] = [
        (row["batch"], row["outcome"], _alpha(row["alpha_first"]), _alpha(row["alpha_retest"])) for row in found["batches"]
    ]
    flagged = [
        f"{row['name']}: {', '.join(flag['kind'] for flag in row['flags'])}" for row in found["annotators"] if row["flags"]
    ]
    tools: list[tuple[str, ...]] = [
        (row["tool"], str(row["uses"]), _share(row["with"]), _share(row["without"])) for row in found["tools"] if not row["task"]
    ]
    return "\n".join(
        [
            *lines,
            table(rows, ("batch", "gate", "alpha first", "alpha retest")),
            *([table(tools, ("tool", "uses", "checks right with", "without"))] if tools else []),
            *(["look at:", *flagged] if flagged else []),
        ]
    )


def _share(arm: dict[str, Any]) -> str:
    """Accuracy on hidden checks with its interval."""
    if arm["accuracy"] is None:
        return "-"
    return f"{100 * arm['accuracy']:.0f} % ({100 * arm['low']:.0f} to {100 * arm['high']:.0f} %) of {arm['checks']}"


def _alpha(row: dict[str, Any]) -> str:
    return "-" if row["alpha"] is None else f"{row['alpha']:.3f} ({row['low']:.3f} to {row['high']:.3f})"
