"""`goldsmith train PAIRS --base MODEL --out DIR`."""

from __future__ import annotations

from pathlib import Path

import click

from goldsmith.cli.output import emit, json_option


@click.command()
@click.argument("pairs", type=click.Path(path_type=Path))
@click.option("--base", default="embedded", show_default=True, help="A folder, a hub id, or `embedded`.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the trained model; must not exist yet.")
@click.option("--validation", type=click.Path(path_type=Path), help="Pairs to measure on; their contexts are not trained on.")
@click.option(
    "--track",
    multiple=True,
    type=click.Choice(["tensorboard", "wandb", "trackio"]),
    help="Also write the losses for this program (adds to train.track). TensorBoard's files go to OUT.tensorboard.",
)
@click.option(
    "--resume",
    type=click.Choice(["last", "intact", "restart"]),
    default="last",
    show_default=True,
    help="After a kill, go on from the newest checkpoint, from the newest intact one, or begin anew.",
)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting of the train or reward section, as in --set train.method=head.",
)
@json_option
def command(
    pairs: Path,
    base: str,
    out: Path,
    validation: Path | None,
    track: tuple[str, ...],
    resume: str,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Train a reward model on a file of pairs in any known format; killed and called again, it continues."""
    from typing import cast

    from goldsmith.config import load_config
    from goldsmith.progress import ConsoleProgress
    from goldsmith.train import Resume, train_file

    config = load_config(overrides=overrides)
    tracked = [*config.train.track, *(name for name in track if name not in config.train.track)]
    config = config.model_copy(update={"train": config.train.model_copy(update={"track": tracked})})
    with ConsoleProgress() as progress:
        progress.stage(1, 1, f"Training: {config.train.method}")
        result = train_file(
            pairs, base, out, config, validation=validation, resume=cast("Resume", resume), progress=progress.update
        )
    emit(
        {"model": str(result.path), "metrics": result.metrics},
        f"{result.path}: trained on {result.metrics['num_pairs']:,} pairs and {result.metrics['num_lists']:,} lists"
        f"{_left_out(result.metrics)}\n  next: goldsmith score {result.path} FILE -o scored.jsonl",
        as_json,
    )


def _left_out(metrics: dict[str, object]) -> str:
    """What a person should know: rows and replies that were not used as they came."""
    counts: dict[str, int] = {}
    for part in (metrics.get("rejected_rows"), metrics.get("dropped")):
        counts |= part if isinstance(part, dict) else {}
    counts |= {name: int(str(metrics[name])) for name in ("ties", "truncated_replies") if metrics.get(name)}
    return "".join(f"; {name}: {number:,}" for name, number in counts.items())
