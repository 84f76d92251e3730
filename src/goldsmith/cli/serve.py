"""`goldsmith serve MODEL`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

DIALECTS = ("goldsmith", "vllm", "sglang", "tei", "cohere", "openrlhf", "verl", "llamafactory")


@click.command()
@click.argument("models", nargs=-1, required=True, metavar="MODEL [NAME=MODEL ...]")
@click.option(
    "--config", type=click.Path(path_type=Path), help="A TOML file whose [serve] section sets anything below, and more."
)
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="A key of [serve], for example max_queue_s=10.")
@click.option("--host", help="Address to listen on; 127.0.0.1 unless set.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port; 8600 unless set, 0 for any free one.")
@click.option("--dialect", type=click.Choice(DIALECTS), help="Whose shapes shared paths have; vllm unless set.")
@click.option("--dtype", type=click.Choice(["auto", "float32", "bfloat16"]), help="Arithmetic of the trunk.")
@click.option("--pooling", type=click.Choice(["as-published"]), help="Serve a model whose authors pooled elsewhere.")
@click.option("--max-length", type=click.IntRange(min=16), help="Tokens of a conversation at most.")
@click.option("--truncate", is_flag=True, default=None, help="Cut conversations that are too long instead of refusing them.")
@click.option("--replicas", type=click.IntRange(1, 64), help="Worker processes of each model.")
@click.option("--threads", type=click.IntRange(min=1), help="Threads of each worker.")
@click.option(
    "--keys", "keys_file", type=click.Path(path_type=Path), help="File of API keys, as `goldsmith serve-key` writes it."
)
@click.option("--without-keys", is_flag=True, default=None, help="Let everybody in who reaches the address.")
@click.option("--allow-models", multiple=True, type=click.Path(path_type=Path), help="Folder in which a reload may find models.")
@click.option(
    "--remote-code",
    multiple=True,
    metavar="DIGEST",
    help="Run a model's own code, of this revision alone, after you have read it.",
)
@click.option("--tls-cert", type=click.Path(path_type=Path), help="Certificate (PEM); HTTPS together with --tls-key.")
@click.option("--tls-key", type=click.Path(path_type=Path), help="Key of the certificate (PEM).")
@click.option("--telemetry", is_flag=True, default=None, help="OpenTelemetry traces, as the OTEL_* variables say.")
def command(models: tuple[str, ...], config: Path | None, overrides: tuple[str, ...], **options: Any) -> None:
    """Serve reward models until SIGTERM; the first is the one that requests without a model's name get.

    Logs go to stderr, one JSON object a line; the address goes to stdout when the server answers.
    """
    from goldsmith.config import load_config
    from goldsmith.serve.server import serve

    below = {"serve": {name: _plain(value) for name, value in options.items() if value not in (None, ())}}
    given = [f"serve.{override}" for override in overrides]
    settings = load_config([config] if config else [], given)
    if below["serve"]:
        merged = {**settings.serve.model_dump(), **below["serve"]}
        settings = settings.model_copy(update={"serve": type(settings.serve).model_validate(merged)})
    serve(_named(models), settings.serve, ready=lambda address: click.echo(address))


def _named(models: tuple[str, ...]) -> dict[str, str]:
    """Return models by name; one without `NAME=` has its folder's."""
    named: dict[str, str] = {}
    for text in models:
        name, equals, path = text.partition("=")
        if not equals or "/" in name:
            name, path = Path(text).name, text
        if name in named or not name or not path:
            raise click.BadParameter(f"{text!r}: two models have the name {name!r}, or one has none; write NAME=MODEL")
        named[name] = path
    return named


def _plain(value: Any) -> Any:
    return [str(item) for item in value] if isinstance(value, tuple) else value
