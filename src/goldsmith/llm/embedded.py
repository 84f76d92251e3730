"""The embedded LLM: SmolLM2-135M behind an OpenAI-compatible server, in a process of its own, on loopback.

    with EmbeddedServer(slots=2) as server:
        EndpointConfig(name="embedded", base_url=server.base_url, model=server.model)

The process ends with the block, after exceptions and Ctrl-C too. It also ends by itself when its parent vanishes without a
word (`kill -9`): it reads a pipe whose other end only the parent holds, and looks who its parent is.
"""

from __future__ import annotations

import atexit
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from goldsmith.errors import ProviderError, UserError
from goldsmith.models.smollm2 import gguf_path

MODEL_NAME = "smollm2-135m-instruct"
"""The name under which the server lists its model."""
STOP_TIMEOUT_S = 5.0


class EmbeddedServer:
    """One model server of our own; start it by `with` or `start()`, and stop it by leaving the block or `stop()`."""

    def __init__(
        self,
        *,
        gguf: Path | None = None,
        slots: int = 2,
        context_tokens: int = 4096,
        threads: int | None = None,
        start_timeout_s: float = 60.0,
        log_path: Path | None = None,
    ) -> None:
        """Set the options; nothing is started.

        Args:
            gguf: the model file; none: the embedded one.
            slots: requests worked on at the same time, >= 1; further ones wait in the server's queue.
            context_tokens: longest prompt plus reply of one request, 1 to 8,192 tokens for the embedded model.
            threads: threads of the model, >= 1; none: the processors this process may use.
            start_timeout_s: seconds until a server that does not answer counts as failed.
            log_path: where the server's own messages go; none: a temporary file that is removed when it stops.
        """
        if slots < 1 or context_tokens < 1 or (threads is not None and threads < 1):
            raise UserError(f"embedded model: slots={slots}, context_tokens={context_tokens}, threads={threads}: give 1 or more")
        self.slots, self.context_tokens, self.start_timeout_s = slots, context_tokens, start_timeout_s
        self.threads = threads or len(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1))
        self.model = MODEL_NAME
        self._gguf, self._log_path = gguf, log_path
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None
        self._address = ""

    @property
    def base_url(self) -> str:
        """The address for a client of OpenAI's protocol, `http://127.0.0.1:PORT/v1`.

        Raises:
            ProviderError: the server is not running.
        """
        self.check()
        return f"{self._address}/v1"

    @property
    def pid(self) -> int | None:
        """The process id of the server; None when it was not started."""
        return self._process.pid if self._process else None

    @property
    def is_running(self) -> bool:
        """Tell whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def check(self) -> None:
        """Raise when the server is not running, with the last lines it wrote.

        Raises:
            ProviderError: it was not started, or it died.
        """
        if self._process is None:
            raise ProviderError("the embedded model server is not running: start it by `with EmbeddedServer() as server`")
        if (code := self._process.poll()) is not None:
            raise ProviderError(f"the embedded model server ended with code {code}; its last words: {self._last_words()}")

    def start(self) -> Self:
        """Start the process and wait until it answers; calling it again does nothing.

        Raises:
            UserError: the model file or `xllamacpp` is missing.
            ProviderError: the server does not come up within `start_timeout_s`.
        """
        if self.is_running:
            return self
        if importlib.util.find_spec("xllamacpp") is None:
            raise UserError("the embedded model server needs the package xllamacpp; install `goldsmith[llm]`")
        command = [sys.executable, "-m", "goldsmith.llm.embedded_process", json.dumps(self._options())]
        self._log = self._log_path.open("ab") if self._log_path else tempfile.TemporaryFile()  # noqa: SIM115
        # A session of its own: Ctrl-C in a terminal reaches the parent alone, which then stops the server in good order.
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, start_new_session=True
        )
        atexit.register(self.stop)
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End the process; nothing happens when there is none."""
        process, self._process = self._process, None
        atexit.unregister(self.stop)
        if process is not None:
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()  # the closed pipe is the sign to end
            _end(process)
        if self._log is not None:
            self._log.close()
            self._log = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _options(self) -> dict[str, object]:
        return {
            "gguf": str(self._gguf or gguf_path()),
            "slots": self.slots,
            "context_tokens": self.context_tokens,
            "threads": self.threads,
            "model": self.model,
            "parent": os.getpid(),
        }

    def _wait_until_ready(self) -> None:
        """Read the address that the process prints once its model is loaded, then ask for its health."""
        assert self._process is not None
        assert self._process.stdout is not None
        deadline = time.monotonic() + self.start_timeout_s
        os.set_blocking(self._process.stdout.fileno(), False)
        line = b""
        while not line.endswith(b"\n") or not self._is_healthy():
            if line == b"" or not line.endswith(b"\n"):
                line += self._process.stdout.read() or b""
                if line.endswith(b"\n"):
                    self._address = str(json.loads(line)["address"])
            self.check()
            if time.monotonic() > deadline:
                raise ProviderError(
                    f"the embedded model server did not answer within {self.start_timeout_s:g} s; "
                    f"its last words: {self._last_words()}"
                )
            time.sleep(0.02)

    def _is_healthy(self) -> bool:
        # No proxy: an HTTP_PROXY variable must not send loopback traffic elsewhere.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"{self._address}/health", timeout=5.0) as reply:
                return bool(reply.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def _last_words(self) -> str:
        if self._log_path is not None:
            text = self._log_path.read_bytes()
        elif self._log is not None:
            self._log.seek(0)
            text = self._log.read()
        else:
            text = b""
        lines = text.decode("utf-8", "replace").strip().splitlines()[-3:]
        return " | ".join(lines) or "none"


def _end(process: subprocess.Popen[bytes]) -> None:
    """Wait for a process that was asked to end; insist twice."""
    for insist in (process.terminate, process.kill):
        try:
            process.wait(STOP_TIMEOUT_S)
            return
        except subprocess.TimeoutExpired:
            insist()
    process.wait()
