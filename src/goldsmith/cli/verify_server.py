"""`goldsmith verify-server URL --golden MODEL`."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from goldsmith.cli.output import emit, json_option, table

if TYPE_CHECKING:
    from goldsmith.serve.verify import Verification

WAYS = ("goldsmith", "vllm", "sglang", "tei", "cohere", "openrlhf", "verl", "llamafactory")


@click.command()
@click.argument("url")
@click.option(
    "--golden", required=True, type=click.Path(path_type=Path), help="A golden_scores.jsonl, or the folder of the model."
)
@click.option("--dialect", type=click.Choice(WAYS), default="goldsmith", show_default=True, help="How the server is asked.")
@click.option("--model", help="The model's name on the server.")
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0.0),
    help="Times max(1, |score|). [default: 1e-3; for an export its parity report's]",
)
@click.option("--timeout", "timeout_s", type=click.FloatRange(min=0.1), default=120.0, show_default=True, help="Of a request, s.")
@json_option
def command(
    url: str, golden: Path, dialect: str, model: str | None, tolerance: float | None, timeout_s: float, as_json: bool
) -> int:
    """Check a running server (ours, vLLM, SGLang, TEI, ...) against a model's golden scores; ends with 1 when one differs.

    An API key is read from GOLDSMITH_API_KEY.
    """
    from goldsmith.serve.verify import verify_server

    key = os.environ.get("GOLDSMITH_API_KEY")
    found = verify_server(url, golden, dialect=dialect, model=model, api_key=key, tolerance=tolerance, timeout_s=timeout_s)
    differing = [row.model_dump() for row in found.differing]
    emit({**asdict(found), "differing": differing, "is_same": found.is_same}, _told(found), as_json)
    return 0 if found.is_same else 1


def _told(found: Verification) -> str:
    verdict = "gives the golden scores" if found.is_same else f"differs in {len(found.differing)} of {found.rows} scores"
    lines = [
        f"{found.url} ({found.dialect}) {verdict}",
        f"  largest difference {found.largest:.2e}, mean {found.mean:.2e}, tolerance {found.tolerance:g} x max(1, |score|)",
        f"  alone against together: {found.batch:.2e}",
    ]
    if found.left_out:
        lines.append(
            f"  {found.left_out} golden conversations have more turns than {found.dialect} can send, and were not asked for"
        )
    if found.differing:
        rows: list[tuple[str, ...]] = [
            (str(row.row), f"{row.golden:.4f}", f"{row.alone:.4f}", f"{row.together:.4f}") for row in found.differing[:10]
        ]
        lines += [f"  {found.diagnosis}", table(rows, ("row", "golden", "alone", "together"))]
    return "\n".join(lines)
