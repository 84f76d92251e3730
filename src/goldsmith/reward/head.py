"""A linear Bradley-Terry head on cached features: fitted in seconds, regularised by cross-validation over contexts.

Model: P(chosen wins) = sigmoid(w . (f_chosen - f_rejected)). It is antisymmetric and has no bias, so swapping the replies negates the
margin exactly. The likelihood of pairs is itself what is fitted, so margins are log-odds of the *label*; the temperature, chosen by
the likelihood of held-out contexts and multiplied into the weight, removes what over- or underconfidence is left.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from goldsmith.errors import DataError, UserError
from goldsmith.identity import digest, unit_interval
from goldsmith.reward.logistic import best_temperature, fit_logistic, log_loss, principal_basis
from goldsmith.store.atomic import write_bytes, write_json

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

DEFAULT_L2 = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Penalties tried when none are given; features are scaled so that a typical pair's squared difference is about 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What cross-validation says about one penalty: mean negative log-likelihood (nats) and accuracy on held-out contexts."""

    l2: float
    loss: float
    accuracy: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A fitted head.

    Attributes:
        weight: float64 [width] on features as they come, temperature included.
        l2: the penalty chosen.
        temperature: by which the fitted margins were divided.
        num_pairs: pairs it was fitted on.
        trials: cross-validation of every penalty, empty when there was nothing to choose from.
    """

    weight: Floats
    l2: float
    temperature: float
    num_pairs: int
    trials: tuple[Trial, ...] = ()

    def score(self, features: ArrayLike) -> Floats:
        """Return the rewards of feature vectors, float64 [N]."""
        return np.asarray(features, dtype=np.float64) @ self.weight

    def save(self, folder: Path) -> None:
        """Write `head.safetensors` (float64 weight) and `head.json` into `folder`."""
        from safetensors.numpy import save

        facts = {
            "l2": self.l2,
            "temperature": self.temperature,
            "num_pairs": self.num_pairs,
            "trials": [asdict(trial) for trial in self.trials],
        }
        write_bytes(folder / "head.safetensors", save({"weight": np.ascontiguousarray(self.weight)}))
        write_json(folder / "head.json", {"schema_version": 1, **facts})

    @classmethod
    def load(cls, folder: Path) -> Head:
        """Return the head that `save` wrote.

        Raises:
            UserError: the files are missing or broken.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        try:
            facts = json.loads((folder / "head.json").read_text(encoding="utf-8"))
            trials = tuple(Trial(**trial) for trial in facts["trials"])
            weight = load_file(folder / "head.safetensors")["weight"]
            return cls(
                weight=weight, l2=facts["l2"], temperature=facts["temperature"], num_pairs=facts["num_pairs"], trials=trials
            )
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise UserError(f"{folder}: no head that can be read ({type(error).__name__}: {error}); fit it again") from None

    @property
    def digest(self) -> str:
        """A name by content."""
        return digest(self.weight.tobytes().hex())

    @property
    def accuracy(self) -> float | None:
        """Cross-validated accuracy at the chosen penalty on the training labels; None when there was nothing to choose from."""
        return next((trial.accuracy for trial in self.trials if trial.l2 == self.l2), None)


def fit_head(
    features_chosen: ArrayLike,
    features_rejected: ArrayLike,
    groups: Sequence[str],
    l2s: Sequence[float] = DEFAULT_L2,
    seed: int = 0,
    weights: ArrayLike | None = None,
    *,
    folds: int = 5,
    calibrate: bool = True,
) -> Head:
    """Return the head that makes the chosen replies win.

    Args:
        features_chosen: [N, width].
        features_rejected: [N, width].
        groups: context id of each pair; a context is never on both sides of a fold.
        l2s: penalties to choose from.
        seed: of the folds.
        weights: optional non-negative pair weights [N], normalised to mean 1.
        folds: parts of the cross-validation; fewer when there are fewer contexts.
        calibrate: divide by the temperature that held-out contexts ask for.

    Raises:
        DataError: no pairs, features that are not finite, or weights that are negative or sum to 0.
    """
    chosen, rejected = np.asarray(features_chosen, dtype=np.float64), np.asarray(features_rejected, dtype=np.float64)
    scale = feature_scale(chosen, rejected)
    weight_N = checked_weights(weights, len(chosen))
    rows_NR, basis_WR = principal_basis((chosen - rejected) / scale)
    fold_N = assign_folds(groups, folds, seed)
    trials, l2, temperature = _choose(rows_NR, weight_N, fold_N, tuple(l2s))
    temperature = temperature if calibrate else 1.0
    solution = basis_WR @ fit_logistic(rows_NR, l2, weight_N) / scale
    return Head(weight=solution / temperature, l2=l2, temperature=temperature, num_pairs=len(chosen), trials=trials)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutOfFold:
    """Scores of pairs by heads that saw nothing of their context.

    Attributes:
        first, second: rewards, float64 [N].
        fold: the fold whose head scored the pair; None for pairs whose context was not trained on, which the full head scores.
        head: the head fitted on all training pairs.
    """

    first: Floats
    second: Floats
    fold: tuple[int | None, ...]
    head: Head


def out_of_fold_scores(
    features_first: ArrayLike,
    features_second: ArrayLike,
    labels: Sequence[str | None],
    groups: Sequence[str],
    l2s: Sequence[float] = DEFAULT_L2,
    seed: int = 0,
    weights: ArrayLike | None = None,
    *,
    folds: int = 5,
) -> OutOfFold:
    """Return scores of all pairs under the rule that a model never judges a pair it was trained on.

    A pair shares replies with the other pairs of its context, so the whole context counts as trained on as soon as one of its pairs is.

    Args:
        features_first: [N, width].
        features_second: [N, width].
        labels: `first` or `second` for pairs to train on; None (or `tie`) for pairs that are only scored.
        groups: context ids [N].
        l2s: penalties to choose from; chosen once, on all training pairs.
        seed: of the folds.
        weights: optional pair weights [N]; those of pairs that are not trained on are ignored.
        folds: parts; each is scored by a head fitted on the others.

    Raises:
        DataError: fewer than two contexts to train on.
    """
    first, second = np.asarray(features_first, dtype=np.float64), np.asarray(features_second, dtype=np.float64)
    trained = np.array([label in ("first", "second") for label in labels], dtype=bool)
    sign = np.where(np.array([label == "second" for label in labels]), -1.0, 1.0)[trained, None]
    chosen = np.where(sign > 0, first[trained], second[trained])
    rejected = np.where(sign > 0, second[trained], first[trained])
    train_groups = [group for group, use in zip(groups, trained, strict=True) if use]
    train_weights = np.ones(len(chosen)) if weights is None else np.asarray(weights, dtype=np.float64)[trained]
    head = fit_head(chosen, rejected, train_groups, l2s, seed, train_weights, folds=folds)
    fold_of = dict(zip(train_groups, assign_folds(train_groups, folds, seed).tolist(), strict=True))
    if len(set(fold_of.values())) < 2:
        raise DataError(f"out-of-fold scores need pairs of at least two contexts; there are {len(fold_of)}")
    scores_first, scores_second = head.score(first), head.score(second)
    for fold in sorted(set(fold_of.values())):
        others = np.array([fold_of[group] != fold for group in train_groups])
        part = fit_head(
            chosen[others],
            rejected[others],
            [group for group, use in zip(train_groups, others, strict=True) if use],
            (head.l2,),
            seed,
            train_weights[others],
            folds=folds,
        )
        mine = np.array([fold_of.get(group) == fold for group in groups])
        scores_first[mine], scores_second[mine] = part.score(first[mine]), part.score(second[mine])
    return OutOfFold(first=scores_first, second=scores_second, fold=tuple(fold_of.get(group) for group in groups), head=head)


def assign_folds(groups: Sequence[str], folds: int, seed: int) -> NDArray[np.int64]:
    """Return a fold number for each pair: contexts in an order drawn by hash, dealt out in turn; at most one fold a context."""
    contexts = sorted(set(groups), key=lambda group: (unit_interval(group, seed), group))
    of = {group: rank % max(1, min(folds, len(contexts))) for rank, group in enumerate(contexts)}
    return np.array([of[group] for group in groups], dtype=np.int64)


def _choose(
    rows_NR: Floats, weight_N: Floats, fold_N: NDArray[np.int64], l2s: tuple[float, ...]
) -> tuple[tuple[Trial, ...], float, float]:
    """Return the trials, the penalty with the best held-out likelihood (at its own temperature), and that temperature."""
    if fold_N.max() == 0:
        return (), max(l2s), 1.0
    order = sorted(set(l2s), reverse=True)
    margin_LN = np.empty((len(order), len(rows_NR)))
    for fold in range(int(fold_N.max()) + 1):
        held = fold_N == fold
        beta = None
        for index, l2 in enumerate(order):
            # The path goes from the largest penalty down, each fit beginning where the last ended.
            beta = fit_logistic(rows_NR[~held], l2, weight_N[~held], start=beta)
            margin_LN[index, held] = rows_NR[held] @ beta
    found = []
    for l2, margin_N in zip(order, margin_LN, strict=True):
        temperature = best_temperature(margin_N, weight_N)
        loss = log_loss(margin_N / temperature, weight_N)
        found.append((Trial(l2=l2, loss=loss, accuracy=float(np.average(margin_N > 0, weights=weight_N))), temperature))
    best, temperature = min(found, key=lambda item: (item[0].loss, -item[0].l2))
    return tuple(trial for trial, _ in found), best.l2, temperature


def feature_scale(chosen: Floats, rejected: Floats) -> Floats:
    """Return what to divide features by so that a typical pair's squared difference is about 1, float64 [width].

    Raises:
        DataError: no pairs, or features that are not finite.
    """
    if chosen.ndim != 2 or chosen.shape != rejected.shape or not len(chosen):
        raise DataError(f"a head needs pairs: features of shape {chosen.shape} and {rejected.shape}")
    if not (np.isfinite(chosen).all() and np.isfinite(rejected).all()):
        raise DataError("features are not finite; delete the feature cache and compute them in float32")
    spread = np.concatenate([chosen, rejected]).std(0)
    # A dimension that never varies carries nothing; dividing by its rounding noise would blow it up.
    spread[spread < 1e-6 * max(float(spread.max()), 1e-30)] = np.inf
    return np.asarray(spread * np.sqrt(2.0 * chosen.shape[1]), dtype=np.float64)


def checked_weights(weights: ArrayLike | None, count: int) -> Floats:
    """Return pair weights of mean 1, float64 [count]; 1 each when none are given.

    Raises:
        DataError: they are not `count` finite non-negative numbers with a positive sum.
    """
    values = np.ones(count) if weights is None else np.asarray(weights, dtype=np.float64)
    if values.shape != (count,) or not np.isfinite(values).all() or (values < 0).any() or values.sum() <= 0:
        raise DataError(f"pair weights must be {count} finite non-negative numbers that do not sum to 0")
    return np.asarray(values * (count / values.sum()), dtype=np.float64)
