"""`goldsmith train PAIRS --recipe NAME --out DIR`."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from goldsmith.cli.dry_run import dry_run_options, list_recipes, num_gpus, show_estimate
from goldsmith.cli.output import emit, json_option

if TYPE_CHECKING:
    from goldsmith.config import GoldsmithConfig
    from goldsmith.train import Resume


@click.command()
@click.argument("pairs", required=False, type=click.Path(path_type=Path))
@click.option("--recipe", "recipe_name", metavar="NAME", help="Settings of a published model, below your own; `list` shows them.")
@click.option("--base", help="A folder, a hub id, or `embedded`. [default: reward.base, which a recipe sets, else `embedded`]")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the trained model; must not exist yet.")
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
    "--config",
    "configs",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A TOML file with a train or reward section; later ones win.",
)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting of the train or reward section, as in --set train.method=head; wins over everything else.",
)
@dry_run_options
@json_option
def command(
    pairs: Path | None,
    recipe_name: str | None,
    base: str | None,
    out: Path | None,
    validation: Path | None,
    track: tuple[str, ...],
    resume: str,
    configs: tuple[Path, ...],
    overrides: tuple[str, ...],
    dry_run: bool,
    as_json: bool,
    **hardware: Any,
) -> None:
    """Train a reward model on a file of pairs in any known format; killed and called again, it continues."""
    from goldsmith.config import load_config
    from goldsmith.config.recipe import read_recipe

    if recipe_name == "list":
        return list_recipes(as_json)
    recipe = read_recipe(recipe_name) if recipe_name else None
    processes = num_gpus(hardware, recipe) if dry_run else int(os.environ.get("WORLD_SIZE", "1"))
    config = load_config(configs, overrides, below=recipe.settings_for(processes) if recipe else None)
    if dry_run:
        return show_estimate(pairs, base, config, recipe, hardware, as_json)
    given = [f"--{name.replace('_', '-')}" for name, value in hardware.items() if value is not None]
    if given:
        raise click.UsageError(f"{', '.join(given)}: only for --dry-run; leave out, or add --dry-run")
    if pairs is None or out is None:
        missing = "the file of pairs" if pairs is None else "--out, the folder of the trained model"
        raise click.UsageError(f"Missing {missing}: goldsmith train PAIRS --out DIR")
    tracked = [*config.train.track, *(name for name in track if name not in config.train.track)]
    config = config.model_copy(update={"train": config.train.model_copy(update={"track": tracked})})
    return _train(pairs, base or config.reward.base, out, config, validation, cast("Resume", resume), as_json)


def _train(
    pairs: Path, base: str, out: Path, config: GoldsmithConfig, validation: Path | None, resume: Resume, as_json: bool
) -> None:
    from goldsmith.progress import ConsoleProgress, Progress
    from goldsmith.train import train_file
    from goldsmith.train.processes import is_first_process

    with ConsoleProgress() if is_first_process() else Progress() as progress:
        progress.stage(1, 1, f"Training: {config.train.method}")
        result = train_file(pairs, base, out, config, validation=validation, resume=resume, progress=progress.update)
    if not is_first_process():
        return
    emit({"model": str(result.path), "metrics": result.metrics}, _told(result.path, result.metrics), as_json)


def _told(path: Path, metrics: dict[str, Any]) -> str:
    """What a person should know: every row, pair and reply that was not used as it came, and the accuracy."""
    left_out = Counter(metrics.get("rejected_rows", {})) + Counter(metrics["dropped"])
    left_out += Counter({"ties": metrics["ties"], "over train.max_pairs": metrics["left_out"]})
    lines = [f"{path}: trained on {metrics['num_pairs']:,} pairs and {metrics['num_lists']:,} lists{_counted(left_out)}"]
    if metrics.get("truncated_replies"):
        lines.append(f"  {metrics['truncated_replies']:,} replies were longer than the maximum and were cut, with their contexts")
    if metrics.get("without_probability"):
        lines.append(f"  {metrics['without_probability']:,} pairs have no p_chosen and count as certain")
    if metrics.get("without_strength"):
        lines.append(f"  {metrics['without_strength']:,} pairs have no strength and need no margin")
    if "validation_accuracy" in metrics:
        unused = Counter(metrics.get("rejected_validation_rows", {})) + Counter(metrics.get("validation_dropped", {}))
        unused += Counter(ties=metrics.get("validation_ties", 0))
        accuracy, pairs = 100 * metrics["validation_accuracy"], metrics["validation_pairs"]
        lines.append(f"  validation: {accuracy:.1f} % of {pairs:,} pairs right{_counted(unused)}")
    return "\n".join([*lines, f"  next: goldsmith score {path} FILE -o scored.jsonl"])


def _counted(reasons: Counter[str]) -> str:
    return f"; left out: {', '.join(f'{name} {number:,}' for name, number in reasons.items())}" if reasons else ""
