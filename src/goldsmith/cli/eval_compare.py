"""`goldsmith eval compare`."""

from __future__ import annotations

import click

from goldsmith.cli.output import emit, json_option


@click.command("compare")
@click.argument("results", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False))
@click.option("-o", "--out", required=True, type=click.Path(file_okay=False), help="Folder of the report.")
@click.option("--title", help="Title of the report.")
@click.option(
    "--downstream",
    type=click.Path(exists=True, dir_okay=False),
    help="File of `model,value` lines: a measure of real use to correlate with.",
)
@click.option("--pool", help="Training pairs in which the benchmarks' prompts are looked for; needs --suite or --benchmark.")
@click.option("--suite", type=click.Path(exists=True, file_okay=False), help="Folder of the benchmarks' files, for --pool.")
@click.option(
    "--benchmark", "benchmarks", multiple=True, metavar="NAME=PATH", help="A benchmark's file, for --pool; may be given again."
)
@click.option(
    "--published/--no-published", default=True, show_default=True, help="Show the paper's own rows, marked as published."
)
@click.option("--seed", type=int, help="Seed of the intervals; default: that of the first result.")
@json_option
def command(
    results: tuple[str, ...],
    out: str,
    title: str | None,
    downstream: str | None,
    pool: str | None,
    suite: str | None,
    benchmarks: tuple[str, ...],
    published: bool,
    seed: int | None,
    as_json: bool,
) -> None:
    """Compare earlier results: paired differences, curves, shortcuts, calibration, correlations, failures.

    RESULTS are folders that `goldsmith eval` wrote.
    """
    from goldsmith.evaluate.compare import write_comparison

    path = write_comparison(
        results,
        out,
        title=title,
        downstream=downstream,
        pool=pool,
        suite=suite,
        benchmarks=benchmarks,
        published=published,
        seed=seed,
    )
    emit({"report": str(path)}, str(path), as_json)
