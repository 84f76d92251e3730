"""One trained reward model for every runtime: written, compared with the original, and refused where it decides differently."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "export_model": "goldsmith.export.export",
    "Exported": "goldsmith.export.export",
    "ExportOptions": "goldsmith.export.export",
    "bench_deploy": "goldsmith.export.bench",
}

__all__ = sorted(_HOMES)  # noqa: PLE0605 - names computed from one table


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'goldsmith.export' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)
