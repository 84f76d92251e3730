"""Fixtures that every test may use: the evaluation data's folder, a home of its own, and no network but loopback."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder that GOLDSMITH_DATA names; a test that needs it skips without, and fails where CI says it must be there."""
    folder = os.environ.get("GOLDSMITH_DATA")
    if folder and Path(folder).is_dir():
        return Path(folder)
    reason = "GOLDSMITH_DATA does not name a folder of evaluation data"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def tiny_rm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random Llama reward model; nobody writes into its folder."""
    from goldsmith.reward.tiny import write_tiny_model

    return write_tiny_model(tmp_path_factory.mktemp("shared") / "tiny", seed=4, num_labels=1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Any]:
    """A PostgreSQL server of its own; a test that needs it skips where it is not installed, and fails where CI says it must be there."""
    from local_postgres import LocalPostgres, is_there

    if not is_there():
        reason = "PostgreSQL is not installed (apt-get install postgresql)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    server = LocalPostgres()
    yield server
    server.close()


@pytest.fixture(autouse=True)
def _only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection to anywhere but this machine is a bug in a test."""
    original = socket.socket.connect

    def connect(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a test tried to reach {address}")
        original(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect)
