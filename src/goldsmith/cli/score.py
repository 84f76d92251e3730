"""`goldsmith score MODEL FILE -o scored.jsonl`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import click

from goldsmith.cli.output import emit, json_option

PARTIAL = 3


@click.command()
@click.argument("model")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "-o", "--out", required=True, type=click.Path(path_type=Path), help="The JSONL file to write; called again, it continues."
)
@click.option("--max-length", type=click.IntRange(min=16), help="Tokens of a conversation at most.")
@click.option(
    "--pooling", type=click.Choice(["as-published"]), help="Load a model whose authors pooled elsewhere, and record it."
)
@click.option("--truncation-side", type=click.Choice(["left", "right"]), help="The end of a longer conversation that is cut.")
@json_option
def command(
    model: str,
    file: Path,
    out: Path,
    max_length: int | None,
    pooling: Literal["as-published"] | None,
    truncation_side: Literal["left", "right"] | None,
    as_json: bool,
) -> int:
    """Score pairs (any known format), rows with `messages`, or candidates (`prompt` and `replies`).

    A row that fails is recorded with its reason, never scored.
    """
    from goldsmith.progress import ConsoleProgress
    from goldsmith.reward.score import score_file

    with ConsoleProgress() as progress:
        result = score_file(
            model,
            file,
            out,
            max_length=max_length,
            pooling=pooling,
            truncation_side=truncation_side,
            progress=lambda done, total: progress.update(done, total, "rows"),
        )
    emit(result, _told(result), as_json)
    return PARTIAL if result["failed"] or result["replies_failed"] else 0


def _told(result: dict[str, Any]) -> str:
    reasons = ", ".join(f"{reason} {number:,}" for reason, number in result["failed"].items())
    lines = [f"{result['out']}: {result['scored']:,} rows scored, {sum(result['failed'].values()):,} failed"]
    lines[0] += f" ({reasons}; `detail` in their lines says why)" if reasons else ""
    if result["accuracy"] is not None:
        lines[0] += f"; accuracy {100 * result['accuracy']:.1f} %"
    if result["replies_failed"]:
        lines.append(f"  {result['replies_failed']:,} replies of scored rows have no score; `failures` in their lines says why")
    if result["truncated"]:
        lines.append(
            f"  {result['truncated']:,} conversations were longer than {result['max_length']:,} tokens and lost their "
            f"{result['truncation_side']} end"
        )
    if result["pooling"] != "last":
        lines.append(f"  pooling: {result['pooling']}")
    if not result["calibrated"]:
        lines.append("  probabilities are uncalibrated; `goldsmith models calibrate MODEL PAIRS` fits their temperature")
    return "\n".join(lines)
