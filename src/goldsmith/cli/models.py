"""`goldsmith models install`, `convert`, `calibrate` and `golden`."""

from __future__ import annotations

from pathlib import Path

import click

from goldsmith.cli.output import emit, json_option


@click.group()
def command() -> None:
    """Install the embedded models; convert and calibrate reward models, write their golden scores."""


@command.command(short_help="Bring the embedded models here.")
@json_option
def install(as_json: bool) -> None:
    """Bring the embedded models onto this machine; a second call does nothing."""
    from goldsmith.models import install_models

    result = install_models()
    emit(result, "\n".join(f"{name}: {told}" for name, told in result.items()), as_json)


@command.command()
@click.argument("source")
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="Folder of the standard checkpoint; must not exist yet."
)
@click.option("--pad-token", help="Padding to use; a special token that the chat template never emits.")
@json_option
def convert(source: str, out: Path, pad_token: str | None, as_json: bool) -> None:
    """Write a reward model with a value head (TRL, LLaMA-Factory, ms-swift, OpenRLHF) as a standard sequence classifier."""
    from goldsmith.reward.convert import convert_model

    result = convert_model(source, out, pad_token=pad_token)
    told = [f"{out}: {result['architecture']}, head from {result['head']}, padding {result['pad_token']!r}"]
    emit(result, "\n".join([*told, *(f"  {note}" for note in result["notes"])]), as_json)


@command.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("pairs", type=click.Path(path_type=Path))
@json_option
def calibrate(model: Path, pairs: Path, as_json: bool) -> None:
    """Fit the temperature of a model's win probabilities on judged PAIRS it was not trained on, and store it in goldsmith.json."""
    from dataclasses import asdict

    from goldsmith.reward.calibration import calibrate_file

    result, rejected = calibrate_file(model, pairs)
    assert result.log_loss is not None
    told = (
        f"{model}: temperature {result.temperature:.4g} on {result.num_pairs:,} pairs; log-loss {result.log_loss_raw:.4f} before, "
        f"{result.log_loss:.4f} after (0.6931 knows nothing)"
    )
    told += (
        f"\n  {rejected:,} rows are no pairs, or none that the model's template renders, and were left out" if rejected else ""
    )
    emit({**asdict(result), "rejected_rows": rejected, "model": str(model)}, told, as_json)


@command.command()
@click.argument("model", type=click.Path(path_type=Path, exists=True, file_okay=False))
@json_option
def golden(model: Path, as_json: bool) -> None:
    """Write golden_scores.jsonl into a reward model's folder: conversations with their float32 scores, for `verify-server`."""
    from goldsmith.reward.golden import golden_scores, write_golden
    from goldsmith.reward.model import RewardModel

    rows = golden_scores(RewardModel.load(model, dtype="float32"))
    path = write_golden(model, rows)
    scores = [row.score for row in rows]
    told = f"{path}: {len(rows)} conversations, scores from {min(scores):.4f} to {max(scores):.4f}"
    emit({"path": str(path), "rows": len(rows), "smallest": min(scores), "largest": max(scores)}, told, as_json)
