"""`goldsmith train PAIRS --base MODEL --out DIR`."""

from __future__ import annotations

from pathlib import Path

import click

from goldsmith.cli.output import emit, json_option


@click.command()
@click.argument("pairs", type=click.Path(path_type=Path))
@click.option("--base", default="embedded", show_default=True, help="A folder, a hub id, or `embedded`.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the trained model; must not exist yet.")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting of the train or reward section, as in --set train.method=head.",
)
@json_option
def command(pairs: Path, base: str, out: Path, overrides: tuple[str, ...], as_json: bool) -> None:
    """Train a reward model on a file of pairs in any known format; killed and called again, it continues."""
    from goldsmith.config import load_config
    from goldsmith.progress import ConsoleProgress
    from goldsmith.train import train_file

    config = load_config(overrides=overrides)
    with ConsoleProgress() as progress:
        result = train_file(pairs, base, out, config, progress=lambda done, total: progress.update(done, total, "steps"))
    emit(
        {"model": str(result.path), "metrics": result.metrics},
        f"{result.path}: trained\n  next: goldsmith score {result.path} FILE -o scored.jsonl",
        as_json,
    )
