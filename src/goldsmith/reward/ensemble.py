"""Heads fitted to resampled contexts: where they disagree, a score is uncertain.

Each of K heads sees the contexts drawn with replacement, with their pairs (the clusters within which errors go together), under the
penalty and temperature of the head on all pairs. Rewards have no zero of their own: a head may lie above another by a constant, which
no pair can tell. So every head is read relative to its reward of the average training reply: a reply's uncertainty is the standard
deviation over k of `weight[k] . (f - center)`, and a pair's that of `weight[k] . (f_chosen - f_rejected)`, from which the center falls out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from goldsmith.errors import UserError
from goldsmith.reward.head import Head, checked_weights, feature_scale
from goldsmith.reward.logistic import fit_logistic, principal_basis
from goldsmith.store.atomic import write_bytes

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

FILE = "head_ensemble.safetensors"
"""In a model's folder: `weight` float32 [K, D] and `center` float32 [D], on the trunk's last hidden state at the last token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadEnsemble:
    """K heads on one trunk.

    Attributes:
        weight: float32 [K, D].
        center: float32 [D], the mean features of the training replies.
        seed: of the resampling.
    """

    weight: NDArray[np.float32]
    center: NDArray[np.float32]
    seed: int

    def std(self, features: ArrayLike) -> Floats:
        """Return the standard deviation over heads (K - 1 in the denominator) of the centred score, float64 [N]; features [N, D]."""
        centred = np.asarray(features, dtype=np.float64) - self.center.astype(np.float64)
        return np.asarray((centred @ self.weight.astype(np.float64).T).std(axis=1, ddof=1))

    def save(self, folder: Path) -> None:
        """Write the file into a model's folder."""
        from safetensors.numpy import save

        facts = {"schema_version": "1", "seed": str(self.seed), "resampled": "contexts"}
        tensors = {"weight": np.ascontiguousarray(self.weight), "center": np.ascontiguousarray(self.center)}
        write_bytes(folder / FILE, save(tensors, metadata=facts))

    @classmethod
    def load(cls, folder: Path, hidden: int) -> HeadEnsemble | None:
        """Return the ensemble in a model's folder, None when it has none.

        Args:
            folder: of the checkpoint.
            hidden: D, the width of its trunk.

        Raises:
            UserError: the file is broken, of another shape, holds fewer than two heads, or numbers that are not finite.
        """
        from safetensors import SafetensorError, safe_open

        path = folder / FILE
        if not path.is_file():
            return None
        remedy = "fit the heads again, or delete the file to score without uncertainty"
        try:
            with safe_open(path, framework="numpy") as tensors:
                seed = int((tensors.metadata() or {}).get("seed", 0))
                found = cls(weight=tensors.get_tensor("weight"), center=tensors.get_tensor("center"), seed=seed)
        except (OSError, ValueError, SafetensorError) as error:
            raise UserError(f"{path}: cannot be read ({type(error).__name__}: {error}); {remedy}") from None
        shapes = list(found.weight.shape), list(found.center.shape)
        if len(shapes[0]) != 2 or shapes[0][0] < 2 or shapes[0][1] != hidden or shapes[1] != [hidden]:
            raise UserError(
                f"{path}: `weight` has shape {shapes[0]} and `center` {shapes[1]}, expected [at least 2, {hidden}] and [{hidden}]; {remedy}"
            )
        if not (np.isfinite(found.weight).all() and np.isfinite(found.center).all()):
            raise UserError(f"{path}: holds numbers that are not finite; {remedy}")
        return found


def resamples(groups: Sequence[str], count: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Yield how often each pair is drawn when contexts are drawn with replacement, int64 [N]; number k by the generator of (seed, k)."""
    names, context_N = np.unique(np.asarray(groups), return_inverse=True)
    for index in range(count):
        drawn = np.random.default_rng((seed, index)).integers(len(names), size=len(names))
        yield np.bincount(drawn, minlength=len(names))[context_N]


def fit_ensemble(
    head: Head,
    features_chosen: ArrayLike,
    features_rejected: ArrayLike,
    groups: Sequence[str],
    num_heads: int,
    seed: int,
    weights: ArrayLike | None = None,
) -> HeadEnsemble:
    """Return heads fitted to contexts drawn with replacement.

    Args:
        head: fitted to the same pairs; its penalty and temperature are used.
        features_chosen: [N, D].
        features_rejected: [N, D].
        groups: context id of each pair, at least two different ones.
        num_heads: K, at least 2.
        seed: head k draws from the generator seeded with (seed, k).
        weights: optional pair weights [N].
    """
    chosen, rejected = np.asarray(features_chosen, dtype=np.float64), np.asarray(features_rejected, dtype=np.float64)
    scale, weight_N = feature_scale(chosen, rejected), checked_weights(weights, len(chosen))
    rows_NR, basis_WR = principal_basis((chosen - rejected) / scale)
    start = fit_logistic(rows_NR, head.l2, weight_N)
    fitted = [fit_logistic(rows_NR, head.l2, weight_N * times, start=start) for times in resamples(groups, num_heads, seed)]
    weight_KD = np.stack(fitted) @ basis_WR.T / scale / head.temperature
    center = np.concatenate([chosen, rejected]).mean(0)
    return HeadEnsemble(weight=weight_KD.astype(np.float32), center=center.astype(np.float32), seed=seed)
