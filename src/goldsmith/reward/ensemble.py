"""Bootstrap heads beside a checkpoint: K linear heads on the same trunk, fitted on resampled pairs, whose spread is the uncertainty."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from goldsmith.errors import UserError

if TYPE_CHECKING:
    import torch

ENSEMBLE = "head_ensemble.safetensors"
"""File of one tensor `weight`, float32 [K, D]."""


def load_ensemble(folder: Path, hidden: int) -> torch.Tensor | None:
    """Return the bootstrap heads of a model folder, float32 [K, D]; None when there are none.

    Args:
        folder: of the checkpoint.
        hidden: D, the width of its trunk.

    Raises:
        UserError: the file is broken, of another shape, holds fewer than two heads, or numbers that are not finite.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = folder / ENSEMBLE
    if not path.is_file():
        return None
    remedy = "fit the heads again, or delete the file to score without uncertainty"
    try:
        weight_KD: torch.Tensor = load_file(path)["weight"].float()
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise UserError(f"{path}: cannot be read ({type(error).__name__}: {error}); {remedy}") from None
    if weight_KD.ndim != 2 or weight_KD.shape[0] < 2 or weight_KD.shape[1] != hidden:
        raise UserError(f"{path}: `weight` has shape {list(weight_KD.shape)}, expected [at least 2, {hidden}]; {remedy}")
    if not bool(weight_KD.isfinite().all()):
        raise UserError(f"{path}: holds numbers that are not finite; {remedy}")
    return weight_KD
