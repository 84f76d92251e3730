"""Options of verbs that ask models: which ones, what may be spent, and the estimate before anything is sent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from goldsmith.config import GoldsmithConfig
    from goldsmith.judge.foreseen import Foreseen

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--config", "config_file", type=click.Path(path_type=Path), help="A goldsmith.toml, for its llm, judge, attributes and retrieve sections."),
    click.option("--base-url", help="Address of an OpenAI-compatible server, as http://host:port/v1; with --model."),
    click.option("--model", help="The server's name of the model; with --base-url."),
    click.option("--api-key-env", metavar="NAME", help="Environment variable that holds the key."),
    click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="A setting, as in --set judge.samples=4."),
    click.option("--max-calls", type=click.IntRange(min=0), help="Calls at most, over the life of the cache."),
    click.option("--max-tokens", type=click.IntRange(min=0), help="Tokens at most."),
    click.option("--max-cost", type=click.FloatRange(min=0), help="Money at most, by the prices in the configuration."),
    click.option("--cache", type=click.Path(path_type=Path), help="File of answers, so that none is paid twice; default: OUT.llm.sqlite."),
    click.option("--estimate", "only_estimate", is_flag=True, help="Say what it would cost at most, and stop."),
)  # fmt: skip


def llm_options(function: F) -> F:
    """Add the options to a verb."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def configured(
    config_file: Path | None,
    base_url: str | None,
    model: str | None,
    api_key_env: str | None,
    overrides: tuple[str, ...],
    limits: dict[str, int | float | None],
    without_models: bool = False,
) -> GoldsmithConfig:
    """Return the configuration that the options ask for; flags win over files.

    Args:
        config_file: a file, or none.
        base_url: server; with `model`, the only endpoint.
        model: its model.
        api_key_env: name of the key's variable.
        overrides: of `--set`.
        limits: `max_calls`, `max_tokens`, `max_cost`; None: as configured.
        without_models: no endpoint unless one is named: recorded verdicts need none.

    Raises:
        BadParameter: one of base_url and model without the other.
    """
    from goldsmith.config import load_config
    from goldsmith.config.llm import EndpointConfig

    config = load_config([config_file] if config_file else [], overrides)
    if bool(base_url) != bool(model):
        raise click.BadParameter("--base-url and --model belong together", param_hint="--base-url, --model")
    update: dict[str, Any] = {name: value for name, value in limits.items() if value is not None}
    if base_url and model:
        update["endpoints"] = [EndpointConfig(name=model, base_url=base_url, api_key_env=api_key_env)]
    elif without_models and not config_file and not any(text.startswith("llm.endpoints") for text in overrides):
        update["endpoints"] = []
    return config.model_copy(update={"llm": config.llm.model_copy(update=update)})


def announcer(only_estimate: bool) -> Callable[[Foreseen], bool]:
    """Return what prints an estimate to stderr, and says whether to go on."""

    def announce(foreseen: Foreseen) -> bool:
        click.echo(foreseen.text, err=True)
        return not only_estimate

    return announce
