"""`goldsmith score MODEL FILE -o scored.jsonl`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

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
@json_option
def command(
    model: str, file: Path, out: Path, max_length: int | None, pooling: Literal["as-published"] | None, as_json: bool
) -> int:
    """Score pairs (any known format) or rows with `messages`; a row that fails is recorded with its reason, never scored."""
    from goldsmith.progress import ConsoleProgress
    from goldsmith.reward.score import score_file

    progress = ConsoleProgress()
    result = score_file(model, file, out, max_length=max_length, pooling=pooling, progress=progress.update)
    progress.done()
    failed = sum(result["failed"].values())
    accuracy = result.get("accuracy")
    told = f"{out}: {result['scored']} rows scored, {failed} failed" + (
        f"; accuracy {100 * accuracy:.1f} %" if accuracy is not None else ""
    )
    emit(result, told, as_json)
    return PARTIAL if failed else 0
