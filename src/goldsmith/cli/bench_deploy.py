"""`goldsmith bench-deploy MODEL`."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from goldsmith.cli.output import emit, json_option, table

if TYPE_CHECKING:
    from goldsmith.export.bench import Row


@click.command()
@click.argument("model")
@click.option(
    "--way", "ways", multiple=True, metavar="'RUNTIME WEIGHTS'", help="Only this one, 'onnx int8' for instance; repeatable."
)
@click.option("--work", type=click.Path(path_type=Path), help="Keep the exports in this folder; else they are deleted.")
@click.option("--pairs", type=click.Path(path_type=Path), help="Pairs to compare on, in any known format; else 200 shipped ones.")
@click.option("--max-pairs", type=click.IntRange(min=1), default=200, show_default=True, help="Compare on at most so many.")
@click.option("--repeats", type=click.IntRange(min=1), default=7, show_default=True, help="Calls of each way at each length.")
@json_option
def command(
    model: str, ways: tuple[str, ...], work: Path | None, pairs: Path | None, max_pairs: int, repeats: int, as_json: bool
) -> None:
    """Measure every way to deploy a reward model on this machine: size, memory, latency, tokens a second, decisions changed."""
    from dataclasses import asdict

    from goldsmith.export.bench import DEFAULT, bench_deploy

    with ExitStack() as stack:
        folder = work or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="goldsmith-bench-")))
        rows = bench_deploy(
            model,
            folder,
            only=ways or DEFAULT,
            repeats=repeats,
            pairs=pairs,
            max_pairs=max_pairs,
            told=lambda text: click.echo(f"  {text}", err=True),
        )
    emit([asdict(row) for row in rows], told(rows), as_json)


def told(rows: list[Row]) -> str:
    """Return the table of measured ways, and below it why the others are not in it."""
    lengths = sorted({length for row in rows for length in row.p50})
    head = ("way", "threads", "size", "memory", *(f"{length} tokens p50 / p95" for length in lengths), "tokens/s", "changed")
    cells = [
        (
            row.way,
            str(row.threads),
            f"{row.bytes / 2**20:.0f} MiB",
            f"{row.memory / 2**20:.0f} MiB",
            *(f"{1000 * row.p50[length]:.0f} / {1000 * row.p95[length]:.0f} ms" for length in lengths),
            f"{row.tokens_per_s:.0f}",
            "-" if row.changed is None else f"{100 * row.changed:.1f} % of {row.pairs}",
        )
        for row in rows
        if not row.reason
    ]
    notes = [f"{row.way}: {row.reason or row.note}" for row in rows if row.reason or row.note]
    return "\n".join([table(cells, head), *notes])
