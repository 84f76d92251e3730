"""`goldsmith attributes FILE -o attributes.jsonl`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from goldsmith.cli.llm_options import announcer, configured, llm_options
from goldsmith.cli.output import emit, json_option

PARTIAL = 3


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="The JSONL file to write.")
@click.option(
    "--llm-pairs",
    type=click.IntRange(min=0),
    help="Pairs for which a model writes desired attributes and guideline; 0, the default: none.",
)
@click.option("--llm-closed-fields", is_flag=True, help="The model also decides task, objectivity and controversiality there.")
@click.option(
    "--measure-llm",
    type=click.IntRange(0, 200),
    default=0,
    show_default=True,
    help="Hand-labelled pairs on which the model is measured too: one further call each, beyond the estimate.",
)
@llm_options
@json_option
def command(
    file: Path, out: Path, llm_pairs: int | None, llm_closed_fields: bool, measure_llm: int, config_file: Path | None, base_url: str | None,
    model: str | None, api_key_env: str | None, overrides: tuple[str, ...], max_calls: int | None, max_tokens: int | None,
    max_cost: float | None, cache: Path | None, only_estimate: bool, as_json: bool,
) -> int:  # fmt: skip
    """Write the five attributes of each pair: closed fields by classifier, the others by a model for as many pairs as you say."""
    from goldsmith.attributes.file import attributes_file
    from goldsmith.progress import ConsoleProgress

    limits = {"max_calls": max_calls, "max_tokens": max_tokens, "max_cost": max_cost}
    config = configured(config_file, base_url, model, api_key_env, overrides, limits)
    update: dict[str, Any] = {} if llm_pairs is None else {"llm_pairs": llm_pairs}
    update |= {"llm_closed_fields": True} if llm_closed_fields else {}
    config = config.model_copy(update={"attributes": config.attributes.model_copy(update=update)})
    progress = ConsoleProgress()
    result = attributes_file(
        file, out, config, cache=cache, announce=announcer(only_estimate),
        progress=lambda done, total: progress.update(done, total, "texts or calls"), measure_llm=measure_llm,
    )  # fmt: skip
    progress.done()
    if "labelled" not in result:
        emit(result, f"{file}: nothing was sent", as_json)
        return 0
    invalid = result["facts"].get("llm", {}).get("counts", {}).get("failed", {})
    emit(result, _told(result, invalid), as_json)
    return PARTIAL if result["failed"] or invalid else 0


def _told(result: dict[str, Any], invalid: dict[str, int]) -> str:
    from goldsmith.attributes.quality import Quality, quality_line

    facts = result["facts"]
    lines = [f"{result['out']}: {result['labelled']:,} of {result['rows']:,} rows, {facts['tasks_present']} kinds of task"]
    if result["failed"]:
        lines.append(
            "rows that are no pairs: " + ", ".join(f"{reason} {number:,}" for reason, number in result["failed"].items())
        )
    if "llm" in facts:
        counts = facts["llm"]["counts"]
        failed = ", ".join(f"{kind} {number:,}" for kind, number in invalid.items())
        lines.append(
            f"{facts['llm']['model']} wrote {counts['kept']:,} of {counts['total']:,}" + (f"; failed: {failed}" if failed else "")
        )
    lines += [quality_line(Quality(**row)) for row in facts["quality"]]
    return "\n".join(lines)
