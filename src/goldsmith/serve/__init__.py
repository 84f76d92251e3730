"""The reward server: one queue and worker processes for each model, and the HTTP dialects of the programs that ask for rewards."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {"serve": "goldsmith.serve.server", "verify_server": "goldsmith.serve.verify"}

__all__ = ["serve", "verify_server"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'goldsmith.serve' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)
