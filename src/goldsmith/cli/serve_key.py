"""`goldsmith serve-key NAME --keys FILE`."""

from __future__ import annotations

from pathlib import Path

import click

from goldsmith.cli.output import emit, json_option


@click.command()
@click.argument("name")
@click.option("--keys", "path", required=True, type=click.Path(path_type=Path), help="The file of keys, made when absent.")
@click.option("--admin", is_flag=True, help="The key may also reload models.")
@click.option("--requests-per-minute", type=click.IntRange(min=1), help="Requests it may send.")
@click.option("--tokens-per-minute", type=click.IntRange(min=1), help="Tokens it may have scored.")
@click.option("--expires", help="When it ends: a date with a time zone, 2027-01-31T00:00:00Z for example.")
@click.option("--withdraw", is_flag=True, help="Take every key of this name out of the file instead.")
@json_option
def command(
    name: str,
    path: Path,
    admin: bool,
    requests_per_minute: int | None,
    tokens_per_minute: int | None,
    expires: str | None,
    withdraw: bool,
    as_json: bool,
) -> None:
    """Make an API key and print it once; only its hash is stored. Servers notice within a second.

    To rotate a key, make another one under another name (`team-2`), hand it out, then withdraw the old name.
    """
    from goldsmith.serve.keys import add_key, withdraw_key

    if withdraw:
        count = withdraw_key(path, name)
        emit({"withdrawn": count, "name": name}, f"{path}: {count} keys of {name} withdrawn", as_json)
        return
    limits = {"requests_per_minute": requests_per_minute, "tokens_per_minute": tokens_per_minute, "expires": expires}
    facts = {key: value for key, value in limits.items() if value is not None}
    secret = add_key(path, name, scope="admin" if admin else "score", **facts)
    emit({"key": secret, "name": name, "keys": str(path)}, secret, as_json)
