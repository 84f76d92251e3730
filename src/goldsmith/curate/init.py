"""`goldsmith init`: a folder becomes a workspace by getting a `goldsmith.toml`."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

from goldsmith.config import load_config
from goldsmith.errors import UserError
from goldsmith.store import Workspace, atomic
from goldsmith.store.workspace import CONFIG_FILE

PRESETS = ("article", "paper", "goldsmith")
"""Ways to curate: as the article tells it, as the paper does, as our experiment came out best."""


def init(directory: Path | str, config: Path | None = None, preset: str = "article") -> Workspace:
    """Make a workspace and return it; nothing that is there already is touched.

    Args:
        directory: made when missing.
        config: a configuration to start from; none: the commented default. Its relative paths go on meaning its own folder.
        preset: what the commented default holds of rounds, stage 2 and training; not beside a configuration.

    Raises:
        UserError: the directory is a workspace already, the configuration is not valid, or there is no such preset.
    """
    root = Path(directory)
    if (root / CONFIG_FILE).exists():
        raise UserError(
            f"{root / CONFIG_FILE} exists, so {root} is a workspace already; go on with `goldsmith run -w {root}`, or choose another folder"
        )
    if preset not in PRESETS:
        raise UserError(f"no preset '{preset}'; there are {', '.join(PRESETS)}")
    if config is None:
        here = files("goldsmith.curate")
        parts = here / "workspace.toml", here / "presets" / f"{preset}.toml"
        text = "".join(part.read_text(encoding="utf-8") for part in parts)
    elif preset == "article":
        load_config([config])
        text = f"base_dir = {json.dumps(str(config.resolve().parent))}  # relative paths below start here\n{config.read_text(encoding='utf-8')}"
    else:
        raise UserError(f"a configuration ({config}) and the preset '{preset}' are two beginnings; give one of them")
    atomic.write_text(root / CONFIG_FILE, text)
    return Workspace(root)
