"""Running a server: checks first, then the models, then the port; on SIGTERM what was accepted is finished."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import resource
import signal
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import uvicorn

from goldsmith.config.serve import ServeConfig
from goldsmith.errors import UserError
from goldsmith.serve.app import Application
from goldsmith.serve.guard import guarded
from goldsmith.serve.keys import Keys
from goldsmith.serve.logs import configure_logs
from goldsmith.serve.metrics import Metrics
from goldsmith.serve.models import Models
from goldsmith.serve.tracing import open_tracing

LOG = logging.getLogger("goldsmith.serve")
BACKLOG = 2048


def serve(
    models: Mapping[str, str | Path], config: ServeConfig | None = None, *, ready: Callable[[str], None] | None = None
) -> None:
    """Serve reward models over HTTP until SIGTERM or SIGINT.

    Args:
        models: folders or hub ids by the names under which requests ask for them; the first is the default.
        config: where to listen, limits, security.
        ready: called with the server's address when it answers.

    Raises:
        UserError: a model cannot be used, the port is taken, or the address is open to others and there are no keys.
    """
    settings = config or ServeConfig()
    with asyncio.Runner(loop_factory=lambda: _Loop(settings.header_timeout_s)) as runner:
        runner.run(_serve(models, settings, ready))


async def _serve(models: Mapping[str, str | Path], config: ServeConfig, ready: Callable[[str], None] | None) -> None:
    configure_logs()
    _allow_files(4 * config.max_connections)
    keys = Keys(config.keys_file)
    keys.check()
    check_exposure(config)
    metrics = Metrics()
    served = Models(models, config, metrics)
    tracing = open_tracing(config.telemetry)
    application = Application(served, config, metrics, keys, tracing)
    listener = _listen(config)
    try:
        await served.open()
        address = _address(config, listener)

        def listening() -> None:
            LOG.info("serving", extra={"event": "serving", "address": address})
            if ready:
                ready(address)

        server = _Server(_settings(application, config), application, listening)
        await server.serve(sockets=[listener])
    finally:
        listener.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(config.drain_s):
                await served.close()
        await served.kill()
        await asyncio.to_thread(tracing.close)
    if server.was_interrupted:
        raise KeyboardInterrupt


class _Loop(asyncio.SelectorEventLoop):
    """An event loop whose TLS servers give a client as long for its handshake as for a request's head; asyncio itself waits a minute."""

    def __init__(self, handshake_timeout_s: float) -> None:
        super().__init__()
        self._handshake_timeout_s = handshake_timeout_s

    async def create_server(self, *arguments: Any, **options: Any) -> Any:
        if options.get("ssl") is not None:
            options.setdefault("ssl_handshake_timeout", self._handshake_timeout_s)
        return await super().create_server(*arguments, **options)


class _Server(uvicorn.Server):
    """Uvicorn, whose application says that it is not ready any more as soon as it is told to stop."""

    def __init__(self, settings: uvicorn.Config, application: Application, listening: Callable[[], None]) -> None:
        super().__init__(settings)
        self._application = application
        self._listening = listening
        self.was_interrupted = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, and say so only then: who connects at once must not be refused."""
        await super().startup(sockets)
        self._listening()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle SIGINT and SIGTERM while serving; uvicorn's own way raises them again, before the workers are ended."""
        loop = asyncio.get_running_loop()
        for sig in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(sig, self.handle_exit, sig, None)
        try:
            yield
        finally:
            for sig in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(sig)

    def handle_exit(self, sig: int, frame: Any) -> None:
        self._application.is_stopping = True
        self.was_interrupted |= sig == signal.SIGINT
        LOG.info("stopping", extra={"event": "stopping", "code": signal.Signals(sig).name})
        super().handle_exit(sig, frame)


def _settings(application: Application, config: ServeConfig) -> uvicorn.Config:
    return uvicorn.Config(
        application.build(opens=False),
        http=guarded(config.header_timeout_s, 2 * config.max_connections),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=max(1, int(config.drain_s)),
        ssl_certfile=None if config.tls_cert is None else str(config.tls_cert),
        ssl_keyfile=None if config.tls_key is None else str(config.tls_key),
    )


def check_exposure(config: ServeConfig) -> None:
    """Refuse what would let strangers in, or secrets out.

    Raises:
        UserError: an address that others can reach without keys, or half of what TLS needs.
    """
    if (config.tls_cert is None) != (config.tls_key is None):
        raise UserError("TLS needs both --tls-cert and --tls-key")
    for path in (config.tls_cert, config.tls_key):
        if path is not None and not path.is_file():
            raise UserError(f"{path}: no such file")
    if config.tls_cert is not None and config.tls_key is not None:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(config.tls_cert, config.tls_key)
        except (OSError, ssl.SSLError) as error:
            raise UserError(f"{config.tls_cert}: certificate and key cannot be used ({error})") from None
    if config.keys_file is None and not config.without_keys and not _is_loopback(config.host):
        raise UserError(
            f"{config.host} can be reached by others, and there are no keys; make some with `goldsmith serve-key NAME --keys FILE` and "
            "pass --keys FILE, or pass --without-keys where something else keeps strangers out"
        )


def _allow_files(count: int) -> None:
    """Raise the limit of open files as far as this process may, as every connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _listen(config: ServeConfig) -> socket.socket:
    """Bind the port before anything is loaded, so that a port in use is told at once.

    Raises:
        UserError: the address cannot be used.
    """
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((config.host, config.port))
    except OSError as error:
        listener.close()
        raise UserError(f"{config.host}:{config.port} cannot be listened on ({error.strerror}); choose another --port") from None
    listener.set_inheritable(False)
    return listener


def _address(config: ServeConfig, listener: socket.socket) -> str:
    scheme = "https" if config.tls_cert is not None else "http"
    host = f"[{config.host}]" if ":" in config.host else config.host
    return f"{scheme}://{host}:{listener.getsockname()[1]}"
