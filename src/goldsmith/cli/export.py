"""`goldsmith export MODEL --to onnx --dtype int8 --out DIR`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from goldsmith.cli.output import emit, json_option, table


@click.command()
@click.argument("model")
@click.option("--to", "target", required=True, help="hf, onnx or openvino.")
@click.option("--dtype", required=True, help="Weights: fp32, bf16, fp16, int8 or int4; the head is always float32.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The new folder; must not exist yet.")
@click.option("--pairs", type=click.Path(path_type=Path), help="Pairs to compare on, in any known format; else 200 shipped ones.")
@click.option("--max-pairs", type=click.IntRange(min=1), default=500, show_default=True, help="Compare on at most so many.")
@click.option("--allowed", type=click.FloatRange(0, 1), help="Share of decisions that may change. [default: by --dtype]")
@click.option("--force", is_flag=True, help="Write it even when more decisions change.")
@click.option("--ignore", multiple=True, metavar="PATTERN", help="Linear maps that stay in float, '*.down_proj' for instance.")
@click.option("--max-length", type=click.IntRange(min=16), help="Tokens of a conversation at most.")
@json_option
def command(model: str, target: str, dtype: str, out: Path, as_json: bool, **options: Any) -> None:
    """Write a reward model for another runtime, compare it with the original, and refuse it where it decides otherwise."""
    from goldsmith.export.export import ExportOptions, export_model

    options["ignore"] = tuple(options["ignore"])
    result = export_model(model, out, target=target, dtype=dtype, options=ExportOptions(**options))
    parity = result.parity
    rows = [
        (
            name,
            str(found.pairs),
            f"{found.changed} ({100 * found.changed_share:.1f} %)",
            f"{found.largest:.3g}",
            f"{found.mean:.3g}",
            "-" if found.spearman is None else f"{found.spearman:.5f}",
        )
        for name, found in [("all", parity.overall), *parity.by_length.items()]
    ]
    head = ("tokens", "decisions", "changed", "largest difference", "mean", "Spearman")
    told = f"{out}: {result.way}, {result.bytes / 2**20:.0f} MiB, compared on {parity.pairs_from}, {parity.arithmetic}"
    if result.forced:
        told += f"\n  forced: more than the {100 * result.allowed:g} % of decisions that may change"
    emit(
        {**parity.model_dump(), "out": str(out), "bytes": result.bytes, "forced": result.forced},
        f"{told}\n{table(rows, head)}",
        as_json,
    )
