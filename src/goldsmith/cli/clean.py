"""`goldsmith clean PAIRS -o clean.jsonl`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from goldsmith.cli.output import emit, json_option

if TYPE_CHECKING:
    from goldsmith.config import GoldsmithConfig

PARTIAL = 3


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "-o", "--out", required=True, type=click.Path(path_type=Path), help="The pairs that stay; OUT.decisions.jsonl says why."
)
@click.option(
    "--gold", type=click.Path(path_type=Path), help="Pairs with human labels: 50 or more allow flips and probabilities."
)
@click.option(
    "--rm", metavar="MODEL", help="A reward model that was not trained on these pairs; none: one is fitted, out of fold."
)
@click.option(
    "--judge", metavar="ENDPOINT", help="http://host:port/v1 (with --judge-model), `embedded`, or a file of recorded verdicts."
)
@click.option("--judge-model", metavar="NAME", help="The server's name of the judge.")
@click.option("--api-key-env", metavar="NAME", help="Environment variable that holds the judge's key.")
@click.option(
    "--rule",
    type=click.Choice(["joint", "stack", "article", "paper"]),
    help="The keep rule. [default: the configuration's, else stack]",
)
@click.option(
    "--config", "config_file", type=click.Path(path_type=Path), help="A goldsmith.toml, for curate, reward, llm and judge."
)
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="A setting, as in --set reward.max_length=512.")
@json_option
def command(
    file: Path, out: Path, gold: Path | None, rm: str | None, judge: str | None, judge_model: str | None, api_key_env: str | None,
    rule: str | None, config_file: Path | None, overrides: tuple[str, ...], as_json: bool,
) -> int:  # fmt: skip
    """Keep, flip or drop the pairs of any dataset, with reasons and probabilities; needs no workspace."""
    from goldsmith.curate.clean import clean
    from goldsmith.progress import ConsoleProgress

    config = _configured(config_file, overrides, rule, judge, judge_model, api_key_env)
    with ConsoleProgress() as progress:
        result = clean(file, out, gold=gold, rm=rm, judges=judge is not None, config=config, progress=progress.update)
    emit(result.to_dict(), _told(result.to_dict()), as_json)
    return PARTIAL if result.failed or result.unanswered else 0


def _configured(
    config_file: Path | None, overrides: tuple[str, ...], rule: str | None, judge: str | None, model: str | None, key: str | None
) -> GoldsmithConfig:
    from goldsmith.config import load_config
    from goldsmith.config.judge import RecordedConfig
    from goldsmith.config.llm import EndpointConfig

    settings = list(overrides)
    if rule:
        settings.append(f'curate.keep_rule="{rule}"')
    config = load_config([config_file] if config_file else [], settings)
    is_address = judge is not None and judge.startswith(("http://", "https://"))
    if is_address != (model is not None):
        raise click.BadParameter("--judge ADDRESS and --judge-model NAME belong together", param_hint="--judge, --judge-model")
    if judge is None or judge == "embedded":
        return config
    if is_address:
        endpoints = [EndpointConfig(name=str(model), base_url=judge, api_key_env=key)]
        return config.model_copy(update={"llm": config.llm.model_copy(update={"endpoints": endpoints})})
    update = {
        "llm": config.llm.model_copy(update={"endpoints": []}),
        "judge": config.judge.model_copy(update={"recorded": [RecordedConfig(path=Path(judge))]}),
    }
    return config.model_copy(update=update)


def _told(result: dict[str, Any]) -> str:
    dropped, failed = sum(result["dropped"].values()), sum(result["failed"].values())
    lines = [
        f"{result['out']}: of {result['rows']:,} rows {result['kept']:,} kept, {result['flipped']:,} flipped, "
        f"{result['relabelled']:,} relabelled by people, {dropped:,} dropped, {failed:,} failed"
    ]
    lines += [
        f"  {number:>9,}  {reason}" for reason, number in sorted(result["facts"]["by_reason"].items(), key=lambda item: -item[1])
    ]
    audit = result["facts"].get("audit")
    if audit:
        shown = ", ".join(f"{name} {100 * item['value']:.1f} %" for name, item in audit.items())
        lines.append(f"  on the {audit['stack']['pairs']} human labels that decided nothing: {shown} right")
    if result["unanswered"]:
        kinds = ", ".join(f"{number:,} {kind}" for kind, number in result["unanswered"].items())
        lines.append(f"  pairs that lack the answer of a judge: {sum(result['unanswered'].values()):,} ({kinds})")
    lines += [f"  note: {text}" for text in result["statements"]]
    lines.append(f"  every row's reasons: {result['decisions_file']}")
    return "\n".join(lines)
