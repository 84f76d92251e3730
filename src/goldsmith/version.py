"""The version that manifests and reports carry."""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version


@lru_cache(maxsize=1)
def code_version() -> str:
    """Return the installed version of Goldsmith."""
    try:
        return version("goldsmith")
    except PackageNotFoundError:
        return "0+unknown"
