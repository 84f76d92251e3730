"""Programs that show the series of losses: each is an optional package, asked for by name."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from goldsmith.errors import UserError

PROJECT = "goldsmith"


def check_trackers(names: Sequence[str]) -> None:
    """Refuse trackers that are not installed, before anything is computed.

    Raises:
        UserError: naming the package and how to install it.
    """
    for name in names:
        if importlib.util.find_spec(name) is None:
            raise UserError(f"train.track names {name}, whose package is not installed; pip install {name}, or leave it out")


def tracker_arguments(names: Sequence[str], run_name: str) -> dict[str, Any]:
    """Return the training arguments that switch trackers on; TensorBoard is added by `tensorboard_callback`."""
    if "wandb" in names:
        os.environ.setdefault("WANDB_PROJECT", PROJECT)
    return {
        "report_to": [name for name in names if name != "tensorboard"],
        "run_name": run_name,
        "project": PROJECT,
        # Nothing is published that was not asked for.
        "trackio_static_space_id": False,
        # Every step: a series with gaps hides the step at which something broke.
        "logging_steps": 1 if names else 10,
    }


def tensorboard_callback(folder: Path) -> Any:
    """Return the callback that writes TensorBoard's event files into `folder`."""
    from transformers.integrations import TensorBoardCallback

    callback = TensorBoardCallback()
    # The library's own place is the folder of checkpoints, which is gone when training has ended.
    callback.logging_dir = str(folder)
    return callback
