"""A search server on loopback that does what a test says: answers, lies, hangs, floods."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Said:
    """What the server does with one request."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    drip_s: float = 0.0
    drips_head: bool = False
    repeats: int = 1


def results(*rows: dict[str, Any]) -> Said:
    return Said(json.dumps({"query": "q", "results": list(rows)}).encode())


@contextmanager
def search_server(script: Callable[[str], Said]) -> Iterator[tuple[str, list[str]]]:
    """Yield the address of a server and the paths it was asked for; `script` gets the words that are looked for."""
    asked: list[str] = []
    stopping = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            said = script(parse_qs(urlsplit(self.path).query).get("q", [""])[0])
            stopping.wait(said.delay_s)
            with suppress(OSError):
                if said.drips_head:
                    self.send(replace(said, body=b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 600))
                    return
                self.send_response(said.status)
                for name, value in said.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                for _ in range(said.repeats):
                    self.send(said)

        def send(self, said: Said) -> None:
            if not said.drip_s:
                self.wfile.write(said.body)
                return
            for at in range(len(said.body)):
                if stopping.is_set():
                    return
                self.wfile.write(said.body[at : at + 1])
                self.wfile.flush()
                time.sleep(said.drip_s)

        def log_message(self, *_values: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        stopping.set()
        server.shutdown()
        server.server_close()
        thread.join(5)
