"""`goldsmith annotate serve`: the room's server, in one process whose threads share a pool of connections."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable

from goldsmith.errors import UserError
from goldsmith.gold.people import all_people
from goldsmith.gold.room import open_room
from goldsmith.store import Workspace

THREADS = 24
"""Requests worked on at once. Each holds a connection for milliseconds; more threads would only wait for the same two cores."""
CONNECTIONS = 16


def serve_annotation(
    workspace: Workspace, *, host: str | None = None, port: int | None = None, told: Callable[[str], None] = lambda _text: None
) -> None:
    """Serve the annotation room until the process is stopped.

    Args:
        workspace: whose room it is.
        host: address to listen on; none: `annotate.host`.
        port: port, 0 for a free one; none: `annotate.port`.
        told: is called with what a person who starts the server should know, its address first.

    Raises:
        UserError: the address cannot be used.
        StoreError: the database cannot be read or written.
    """
    import uvicorn

    from goldsmith.annotate.app import create_app
    from goldsmith.annotate.tools.code import sandbox_report

    rules = workspace.config.annotate
    listener = _listen(host or rules.host, rules.port if port is None else port)
    room = open_room(workspace, pool=CONNECTIONS)
    address = f"http://{_shown(host or rules.host)}:{listener.getsockname()[1]}"
    app = create_app(room, public_url=rules.public_url or address, folder=workspace.root, threads=THREADS)
    told(f"annotation room: {rules.public_url or address}")
    if rules.tools.code.on and not (report := sandbox_report(room.rules.tools.code)).works:
        told(f"people cannot run code (annotate.tools.code.on): {report.why_not}")
    with room.database.read() as connection:
        if not all_people(connection):
            told("nobody has an account yet: `goldsmith annotate people invite ADDRESS --role admin` prints a link")
    if not _is_loopback(host or rules.host) and rules.secure_cookies:
        told(
            "other machines reach this address, and sign-in works over TLS only: put a proxy with a certificate in front, and set annotate.public_url"
        )
    proxies = ",".join(rules.trusted_proxies)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies or None,
        timeout_keep_alive=75,
    )
    uvicorn.Server(config).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        raise UserError(f"{host}:{port}: {error.strerror or error}; set annotate.port or give --port (0: a free one)") from None
    listener.listen(512)
    return listener


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
