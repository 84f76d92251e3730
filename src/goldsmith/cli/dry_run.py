"""`goldsmith train --recipe list` and `goldsmith train --dry-run`: what there is, and what a run would need."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from goldsmith.cli.output import emit

if TYPE_CHECKING:
    from goldsmith.config import GoldsmithConfig
    from goldsmith.config.recipe import Recipe

F = TypeVar("F", bound=Callable[..., Any])

PAPER_GPUS, PAPER_GPU = 64, "h800"
"""What the published family was trained on."""

_OPTIONS = (
    click.option(
        "--dry-run", is_flag=True, help="Train nothing: print parameters, memory of a GPU, tokens, steps and GPU-hours."
    ),
    click.option(
        "--gpus", type=click.IntRange(min=1), help="Dry run: number of GPUs. [default: 1; with a recipe 64, as in the paper]"
    ),
    click.option("--gpu", metavar="KIND", help="Dry run: h100, a100, ... [default: h100; with a recipe h800]"),
    click.option("--gpu-memory", type=click.FloatRange(min=0, min_open=True), metavar="GIB", help="Dry run: memory of one GPU."),
    click.option("--peak-tflops", type=click.FloatRange(min=0, min_open=True), help="Dry run: bfloat16 peak of one GPU, dense."),
    click.option(
        "--utilisation",
        type=click.FloatRange(0, 1, min_open=True),
        help="Dry run: share of the peak that is reached. [default: 0.4]",
    ),
    click.option(
        "--bandwidth",
        type=click.FloatRange(min=0, min_open=True),
        metavar="GB/S",
        help="Dry run: network of one GPU. [default: 50]",
    ),
    click.option("--num-pairs", type=click.IntRange(min=1), help="Dry run without a file: pairs. [default: the recipe's]"),
    click.option(
        "--tokens-per-pair",
        type=click.IntRange(min=4),
        help="Dry run without a file: tokens of both conversations. [default: 2000]",
    ),
)


def dry_run_options(function: F) -> F:
    """Add the options of a dry run to a verb; they arrive as keyword arguments."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def list_recipes(as_json: bool) -> None:
    """Print the recipes' names and what each is."""
    from goldsmith.config.recipe import STAGES, read_recipe, recipe_names

    recipes = [read_recipe(name) for name in recipe_names()]
    width = max(len(recipe.name) for recipe in recipes)
    text = "\n".join(f"{recipe.name:<{width}}  {recipe.summary}" for recipe in recipes)
    emit(
        {
            "recipes": [{"name": recipe.name, "summary": recipe.summary, "pairs": recipe.pairs} for recipe in recipes],
            "stages": STAGES,
        },
        f"{text}\n  NAME: the settings of the published model; NAME/development: those of the authors' development runs",
        as_json,
    )


def num_gpus(options: dict[str, Any], recipe: Recipe | None) -> int:
    """Return the GPUs of a dry run: as given, else the paper's for a recipe, else one."""
    return int(options["gpus"] or (PAPER_GPUS if recipe else 1))


def show_estimate(
    pairs: Path | None, base: str | None, config: GoldsmithConfig, recipe: Recipe | None, options: dict[str, Any], as_json: bool
) -> None:
    """Print what a run would need."""
    from goldsmith.train.estimate import estimate_text, estimate_training, hardware

    machine = hardware(
        gpus=num_gpus(options, recipe),
        kind=options["gpu"] or (PAPER_GPU if recipe else "h100"),
        memory_gib=options["gpu_memory"],
        peak_tflops=options["peak_tflops"],
        utilisation=options["utilisation"],
        bandwidth_gb_s=options["bandwidth"],
    )
    estimate = estimate_training(
        config,
        machine,
        pairs=pairs,
        base=base,
        num_pairs=options["num_pairs"] or (recipe.pairs if recipe else None),
        tokens_per_pair=options["tokens_per_pair"],
    )
    emit(estimate.as_json(), estimate_text(estimate), as_json)
