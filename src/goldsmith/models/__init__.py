"""Embedded models: they come from packages, need no hub and no account, and stand where the configuration names no other."""

from __future__ import annotations

import re
from pathlib import Path

from goldsmith.errors import UserError
from goldsmith.models.home import models_home
from goldsmith.models.install import install_models
from goldsmith.models.minilm import minilm_path
from goldsmith.models.smollm2 import checkpoint_path, ensure_checkpoint, gguf_path, is_converted

__all__ = [
    "base_model_path",
    "checkpoint_path",
    "ensure_checkpoint",
    "gguf_path",
    "install_models",
    "is_converted",
    "minilm_path",
    "models_home",
]

EMBEDDED = "embedded"


def base_model_path(name: str | Path) -> Path | str:
    """Return what `from_pretrained` takes for a configured base model.

    Args:
        name: `embedded` (SmolLM2-135M-Instruct, converted on first use), a folder, or a hub id (`owner/name`).

    Returns:
        The folder as an absolute path, or the hub id as it is.

    Raises:
        UserError: neither a folder nor the form of a hub id, or the embedded model cannot be had.
    """
    if str(name) == EMBEDDED:
        return ensure_checkpoint()
    folder = Path(name).expanduser()
    if str(name) and folder.is_dir():
        return folder.resolve()
    text = str(name)
    if isinstance(name, str) and re.fullmatch(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?", text):
        return text
    raise UserError(f"model {text!r}: there is no such folder, and it is no hub id; give `embedded`, a folder, or `owner/name`")
