"""The check at every save: what was written, read again from the disk, has the same head and gives the same scores.

Scores alone can hide a lost head: a head of zeros, or texts that happen to score alike, look the same before and after. So the head is
compared number by number, the texts must score differently, and the tolerance shrinks with how little they differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from goldsmith.errors import GoldsmithError
from goldsmith.reward.checkpoint import read_tensor, tensor_files
from goldsmith.reward.classifier import HEAD
from goldsmith.reward.grouping import Reply
from goldsmith.reward.model import RewardModel

TOLERANCE = 1e-4
"""How far a reloaded score may be off, times max(1, |score|), in float32; less where the texts' scores differ by little."""
FINEST = 1e-6
"""The same at the least: rounding."""

_QUESTION = [{"role": "user", "content": "What is 2 + 2?"}]
FIXED_PROBES = (
    Reply(_QUESTION, "4", "first fixed text"),
    Reply(_QUESTION, "I would rather not say.", "second fixed text"),
)
"""Compared beside the caller's texts, so that there are always two that differ."""


def with_fixed_probes(probes: Sequence[Reply]) -> list[Reply]:
    """Return the texts to compare."""
    return [*probes, *FIXED_PROBES]


def check_head(folder: Path, classifier: Any) -> None:
    """Compare the head on disk with the one in memory, number by number.

    Raises:
        GoldsmithError: it is missing, another one, or all zeros, under which every reply scores the same.
    """
    import torch

    own = classifier.score.weight.detach().cpu()
    if not bool(own.any()):
        raise GoldsmithError(
            f"{folder}: the head is all zeros, so every reply would score the same; nothing was written; train it first"
        )
    path = tensor_files(folder).get(HEAD)
    saved = None if path is None else read_tensor(path, HEAD)
    if saved is None or saved.shape != own.shape or not torch.equal(saved.float(), own.to(saved.dtype).float()):
        found = "is missing from the saved model" if saved is None else "in the saved model is another one"
        raise GoldsmithError(f"{folder}: the head {found}; nothing was written. {_REPORT}")


def check_round_trip(folder: Path, probes: Sequence[Reply], before: Sequence[float]) -> None:
    """Compare scores of a saved model with those of the model that was saved.

    Args:
        folder: the saved model.
        probes: conversations.
        before: their scores under the model that was saved, in float32.

    Raises:
        GoldsmithError: one differs, or all are the same, so that nothing is compared.
    """
    spread = max(before) - min(before)
    if len(before) > 1 and spread <= FINEST * max(1.0, *map(abs, before)):
        raise GoldsmithError(
            f"{folder}: {len(before)} different texts all score {before[0]:.6f}, so the check of the saved model would not notice a lost "
            "head; nothing was written; train the head first"
        )
    after = RewardModel.load(folder, dtype="float32").score_replies(probes)
    for reply, old, new in zip(probes, before, after, strict=True):
        allowed = TOLERANCE * max(1.0, abs(old))
        if len(before) > 1:
            allowed = max(FINEST * max(1.0, abs(old)), min(allowed, 0.01 * spread))
        # Written so that a score which is not a number fails too.
        if not abs(old - new) <= allowed:
            raise GoldsmithError(
                f"{folder}: the saved model gives {new:.6f} where the trained one gave {old:.6f} ({reply.name}); nothing was written. "
                f"{_REPORT}"
            )


_REPORT = "Please report this with the versions of torch and transformers"
