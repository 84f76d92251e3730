"""`goldsmith eval MODEL... --suite DIR --out DIR`."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from goldsmith.cli.llm_options import configured, llm_options
from goldsmith.cli.output import emit, json_option, table

if TYPE_CHECKING:
    from goldsmith.config.evaluate import EvalModelConfig
    from goldsmith.evaluate.result import EvalResult, Metric
    from goldsmith.evaluate.runner import Evaluation

PARTIAL = 3
COMPARE = "compare"


class EvalCommand(click.Group):
    """A verb with arguments of its own, and one sub-command beside them."""

    allow_interspersed_args = True

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The sub-commands whose file is there."""
        return [COMPARE] if find_spec("goldsmith.cli.eval_compare") else []

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The sub-command, imported when it is called."""
        if cmd_name not in self.list_commands(ctx):
            return None
        found = import_module(f"goldsmith.cli.eval_{cmd_name}").command
        assert isinstance(found, click.Command)
        return found

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """The sub-command's context where it is named first, else the verb's."""
        with click.Context(self) as context:
            inner = self.get_command(context, args[0]) if args else None
        if inner is not None:
            return inner.make_context(f"{info_name} {args[0]}", args[1:], parent=parent, **extra)
        return super().make_context(info_name, args, parent=parent, **extra)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As a plain command: what follows are models, not sub-commands."""
        return click.Command.parse_args(self, ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """As a plain command."""
        return click.Command.invoke(self, ctx)


@click.command(cls=EvalCommand, no_args_is_help=False, subcommand_metavar="")
@click.argument("models", nargs=-1, metavar="MODEL...")
@click.option(
    "--out",
    "-o",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="The evaluation's folder; run again, it goes on.",
)
@click.option("--suite", help="Folder in which benchmarks are found in their official layouts.")
@click.option(
    "--benchmark",
    "benchmarks",
    multiple=True,
    metavar="NAME=PATH",
    help="A benchmark's file, folder or hf:ID:SPLIT; a NAME alone: from the hub.",
)
@click.option("--only", multiple=True, metavar="NAME", help="Only this benchmark of those found.")
@click.option("--max-length", type=click.IntRange(min=16), help="Tokens of a conversation at most, for checkpoints.")
@click.option("--truncation-side", type=click.Choice(["left", "right"]), help="The end of a longer conversation that is cut.")
@click.option("--dtype", type=click.Choice(["auto", "float32", "bfloat16"]), help="Arithmetic of checkpoints' trunks.")
@click.option(
    "--pooling", type=click.Choice(["as-published"]), help="Load checkpoints whose authors pooled elsewhere, and record it."
)
@click.option("--served-model", help="A server's name of the model.")
@click.option("--tokenizer", help="Folder or hub id whose chat template renders conversations, for servers that take text.")
@click.option("--batch", type=click.IntRange(min=1), help="Texts of one request to a server.")
@click.option(
    "--score-cache", type=click.Path(path_type=Path), help="SQLite file of scores; default: scores.sqlite in the folder."
)
@click.option("--no-report", is_flag=True, help="Only results; `goldsmith eval compare` writes the report later.")
@llm_options
@json_option
def command(
    models: tuple[str, ...], out: Path, suite: str | None, benchmarks: tuple[str, ...], only: tuple[str, ...], score_cache: Path | None,
    config_file: Path | None, base_url: str | None, model: str | None, api_key_env: str | None, overrides: tuple[str, ...],
    max_calls: int | None, max_tokens: int | None, max_cost: float | None, cache: Path | None, no_report: bool, as_json: bool,
    **of_models: Any,
) -> int:  # fmt: skip
    """Evaluate reward models on the seven benchmarks, and on pair files of one's own.

    MODEL is a folder or hub id; random, oracle, constant or longer; scores:FILE; judge:NAME, one of llm.endpoints (or judge: with
    --base-url and --model); or DIALECT:URL, as in vllm-chat:http://localhost:8000. LABEL=MODEL names it in reports.
    """
    from goldsmith.evaluate.evaluate import evaluate_models
    from goldsmith.progress import ConsoleProgress

    limits = {"max_calls": max_calls, "max_tokens": max_tokens, "max_cost": max_cost}
    config = configured(config_file, base_url, model, api_key_env, overrides, limits)
    chosen = [_with_options(spec, {**of_models, "api_key_env": api_key_env}) for spec in models]
    with ConsoleProgress() as progress:
        found = evaluate_models(
            chosen, out, suite=suite, benchmarks=benchmarks, only=only, config=config, cache=score_cache, answers=cache, report=not no_report,
            progress=lambda done, total, unit, what: progress.update(done, total, unit, what),
        )  # fmt: skip
    results = [result.model_dump(mode="json") for result in found.results]
    emit(
        {
            "results": results,
            "folders": [str(folder) for folder in found.folders],
            "passed_over": found.passed_over,
            "failed": [failed.model_dump(mode="json") for failed in found.failed],
        },
        _told(found, out),
        as_json,
    )
    is_partial = any(benchmark.total.num_failed for result in found.results for benchmark in result.benchmarks)
    return PARTIAL if is_partial or found.failed else 0


# What games will cost is not foreseen: --max-calls, --max-tokens and --max-cost hold it.
command.params = [parameter for parameter in command.params if parameter.name != "only_estimate"]


for parameter in command.params:
    if isinstance(parameter, click.Option) and parameter.name == "cache":
        parameter.help = "SQLite file of judges' answers, so that none is paid twice; default: llm.sqlite in the folder."


def _with_options(spec: str, options: dict[str, Any]) -> EvalModelConfig:
    from goldsmith.evaluate.evaluate import labelled

    return labelled(spec).model_copy(update={name: value for name, value in options.items() if value is not None})


def _told(found: Evaluation, out: Path) -> str:
    results = found.results
    rows: list[tuple[str, ...]] = []
    for result in results:
        for benchmark in result.benchmarks:
            counts = benchmark.total
            rows.append(
                (result.model.name, benchmark.title, _number(benchmark.official), _interval(benchmark.official), _number(benchmark.paper),
                 f"{counts.num_items:,}", f"{counts.num_ties:,}", f"{counts.num_truncated:,}", f"{counts.num_failed:,}")
            )  # fmt: skip
        rows.append((result.model.name, result.average.name, _number(result.average), "", "", "", "", "", ""))
    head = ("model", "benchmark", "official", "95 % interval", "paper's rule", "items", "ties", "truncated", "failed")
    lines = [table(rows, head)]
    if results:
        lines += [f"absent: {item.title} ({item.where})" for item in results[0].absent]
        lines += sorted({f"{item.title}: {note}" for result in results for item in result.benchmarks for note in item.notes})
    lines += [stray for result in results if (stray := _stray(result))]
    lines += [f"not evaluated: {failed.name}: {failed.reason}" for failed in found.failed]
    lines += [f"passed over, as it holds no benchmark: {name}" for name in found.passed_over]
    return "\n".join([*lines, f"results are in {out}"])


def _stray(result: EvalResult) -> str:
    """Say what a file of scores holds that no benchmark asked for; empty where there is nothing of it."""
    facts = result.model.facts
    number = facts.get("items_of_no_benchmark", 0)
    if not number:
        return ""
    return (
        f"{result.model.name}: {number:,} of its {facts['items']:,} stored items belong to no benchmark evaluated, "
        f"'{facts['such_as']}' for one"
    )


def _number(metric: Metric | None) -> str:
    return "" if metric is None else "-" if metric.value is None else f"{100 * metric.value:.2f}"


def _interval(metric: Metric) -> str:
    return "" if metric.low is None or metric.high is None else f"{100 * metric.low:.1f} to {100 * metric.high:.1f}"
