"""`goldsmith pool add INPUT...`."""

from __future__ import annotations

import click

from goldsmith.cli.output import emit, json_option, table, workspace_option


@click.group()
def command() -> None:
    """Add preference pairs to the pool."""


@command.command(short_help="Add files, folders or hub datasets.")
@click.argument("inputs", nargs=-1, required=True)
@click.option(
    "--map",
    "column_map",
    multiple=True,
    metavar="FIELD=COLUMN",
    help="Read a field (prompt, chosen, rejected, strength, source, label_origin) from another column, as in --map chosen=good_answer.",
)
@workspace_option
@json_option
def add(inputs: tuple[str, ...], column_map: tuple[str, ...], workspace: str, as_json: bool) -> None:
    """Add files, folders or hub datasets (hf:org/name); the format is recognised and named."""
    from goldsmith.pool.ingest import add as add_to_pool
    from goldsmith.progress import ConsoleProgress
    from goldsmith.store import Workspace

    place = Workspace(workspace)
    with ConsoleProgress() as progress:
        result = add_to_pool(place, list(inputs), column_map=_parsed(column_map), progress=progress)
    lines: list[tuple[str, ...]] = []
    notes = []
    for item in result.inputs:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in sorted(item.rejected.items()))
        told = f"{item.kept:,} pairs kept of {item.total:,}" + (f"; rejected: {reasons}" if reasons else "")
        lines.append((f"{item.input}", f"{item.format}: {'already in the pool, nothing added' if item.already_added else told}"))
        if item.earlier_version is not None:
            notes.append(
                f"{item.input}: was added before with other content, and those pairs stay in the pool; "
                f"to take them out, remove {place.root / 'tables' / item.earlier_version}"
            )
    emit(result.model_dump(mode="json"), "\n".join([table(lines), *notes]), as_json)


def _parsed(column_map: tuple[str, ...]) -> dict[str, str]:
    pairs = [part.partition("=") for text in column_map for part in text.split(",")]
    wrong = [f"{field}{equals}{column}" for field, equals, column in pairs if not (field and equals and column)]
    if wrong:
        raise click.BadParameter(f"'{wrong[0]}': expected FIELD=COLUMN, as in chosen=good_answer", param_hint="--map")
    fields = [field for field, _, _ in pairs]
    if twice := [field for field in dict.fromkeys(fields) if fields.count(field) > 1]:
        raise click.BadParameter(f"'{twice[0]}' is mapped twice; map each field to one column", param_hint="--map")
    return {field: column for field, _, column in pairs}
