"""`goldsmith judge FILE -o judged.jsonl`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from goldsmith.cli.llm_options import announcer, configured, llm_options
from goldsmith.cli.output import emit, json_option, table

PARTIAL = 3


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="The JSONL file to write; OUT.verdicts.jsonl holds every sample.",
)
@click.option(
    "--gold",
    type=click.Path(path_type=Path),
    help="Pairs with human labels: examples for the judges, and their test against chance.",
)
@click.option(
    "--attributes", type=click.Path(path_type=Path), help="Attributes of the pairs, as `goldsmith attributes` writes them."
)
@click.option(
    "--recorded",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A file of recorded verdicts: one more judge for each model in it.",
)
@llm_options
@json_option
def command(
    file: Path, out: Path, gold: Path | None, attributes: Path | None, recorded: tuple[Path, ...], config_file: Path | None,
    base_url: str | None, model: str | None, api_key_env: str | None, overrides: tuple[str, ...], max_calls: int | None,
    max_tokens: int | None, max_cost: float | None, cache: Path | None, only_estimate: bool, as_json: bool,
) -> int:  # fmt: skip
    """Judge which reply of each pair is better; a pair without a usable verdict gets its reason, never a choice."""
    from goldsmith.config.judge import RecordedConfig
    from goldsmith.judge.file import judge_file
    from goldsmith.progress import ConsoleProgress

    limits = {"max_calls": max_calls, "max_tokens": max_tokens, "max_cost": max_cost}
    config = configured(config_file, base_url, model, api_key_env, overrides, limits, without_models=bool(recorded))
    base = (config_file.parent if config_file else Path()).resolve()
    files = [*(item.resolved(base) for item in config.judge.recorded), *(RecordedConfig(path=path) for path in recorded)]
    config = config.model_copy(update={"judge": config.judge.model_copy(update={"recorded": files})})
    progress = ConsoleProgress()
    result = judge_file(
        file, out, config, gold=gold, attributes=attributes, cache=cache, announce=announcer(only_estimate),
        progress=lambda done, total: progress.update(done, total, "LLM calls"),
    )  # fmt: skip
    progress.done()
    if only_estimate:
        emit(result, f"{file}: nothing was sent", as_json)
        return 0
    emit(result, _told(result), as_json)
    return PARTIAL if result["failed"] else 0


def _told(result: dict[str, Any]) -> str:
    failed = ", ".join(f"{reason} {number:,}" for reason, number in result["failed"].items())
    lines = [
        f"{result['out']}: {result['judged']:,} of {result['rows']:,} rows judged" + (f"; failed: {failed}" if failed else "")
    ]
    tests = [*result["judges"], *([result["together"]] if result["together"] else [])]
    if not tests:
        lines.append("the judges were not tested: give pairs with human labels with --gold")
        return "\n".join(lines)
    rows: list[tuple[str, ...]] = [
        (test["model"], _share(test["accuracy"]), f"{_share(test['low'])} to {_share(test['high'])}", f"{test['num_decided']:,}",
         _number(test["kappa"]), _number(test["calibration_error"]), _share(test["position_first_share"]), _standing(test, result["used"]))
        for test in tests
    ]  # fmt: skip
    lines.append(table(rows, ("judge", "right", "95 % interval", "decided", "kappa", "calibration", "first shown", "")))
    if not result["used"]:
        lines.append("no judge beats chance on gold, so none was used; --set judge.insist=true uses them all the same")
    return "\n".join(lines)


def _standing(test: dict[str, Any], used: list[str]) -> str:
    if test["beats_chance"]:
        return "used" if test["model"] in used else "together"
    return "at chance, used all the same" if test["model"] in used else "at chance, not used"


def _share(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f} %"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
