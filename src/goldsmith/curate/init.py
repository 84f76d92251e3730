"""`goldsmith init`: a folder becomes a workspace by getting a `goldsmith.toml`."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

from goldsmith.config import load_config
from goldsmith.errors import UserError
from goldsmith.store import Workspace, atomic
from goldsmith.store.workspace import CONFIG_FILE


def init(directory: Path | str, config: Path | None = None) -> Workspace:
    """Make a workspace and return it; nothing that is there already is touched.

    Args:
        directory: made when missing.
        config: a configuration to start from; none: the commented default. Its relative paths go on meaning its own folder.

    Raises:
        UserError: the directory is a workspace already, or the configuration is not valid.
    """
    root = Path(directory)
    if (root / CONFIG_FILE).exists():
        raise UserError(
            f"{root / CONFIG_FILE} exists, so {root} is a workspace already; go on with `goldsmith run -w {root}`, or choose another folder"
        )
    if config is not None:
        load_config([config])
        text = f"base_dir = {json.dumps(str(config.resolve().parent))}  # relative paths below start here\n{config.read_text(encoding='utf-8')}"
    else:
        text = files("goldsmith.curate").joinpath("default.toml").read_text(encoding="utf-8")
    atomic.write_text(root / CONFIG_FILE, text)
    return Workspace(root)
