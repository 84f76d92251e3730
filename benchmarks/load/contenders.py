"""The servers that are compared: ours, one as model cards show it behind FastAPI's shape of a handler, and one as OpenRLHF's `serve_rm` works."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

HERE = Path(__file__).parent


@contextmanager
def goldsmith(model: Path, dtype: str, *settings: str) -> Iterator[tuple[str, int]]:
    """Ours; yields its address and its process."""
    options = [part for setting in settings for part in ("--set", setting)]
    command = [sys.executable, "-m", "goldsmith", "serve", str(model), "--port", "0", "--dtype", dtype, *options]
    with _started(command) as found:
        yield found


def started(name: str, model: Path, dtype: str) -> AbstractContextManager[tuple[str, int]]:
    """Ours or another by its name; yields its address and its process."""
    return goldsmith(model, dtype) if name == "goldsmith" else other(name, model, dtype)


@contextmanager
def other(kind: str, model: Path, dtype: str) -> Iterator[tuple[str, int]]:
    """`model-card` or `serve-rm`; yields its address and its process."""
    with _started([sys.executable, str(HERE / "naive.py"), kind, str(model), dtype]) as found:
        yield found


@contextmanager
def _started(command: list[str]) -> Iterator[tuple[str, int]]:
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ)) as process:
        assert process.stdout is not None
        errors: list[str] = []
        reader = threading.Thread(target=lambda: errors.extend(process.stderr or ()), daemon=True)
        reader.start()
        try:
            address = process.stdout.readline().strip()
            if not address.startswith("http"):
                raise SystemExit("FAILED: a server did not start:\n" + "".join(errors[-20:]))
            yield address, process.pid
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
