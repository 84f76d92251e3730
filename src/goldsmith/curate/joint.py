"""The truth and everybody's errors, estimated together: learning from several sources that err, with some pairs people have judged.

Model: the better reply of pair i is t = +1 (`first`) or -1, with P(t) = sigmoid(t (c m + a dl + b df)): m is the margin of a Bradley-Terry
head on the replies' features, read out of fold, dl and df the differences of length and formatting. Each source (the label as it came, the judges) chooses by its own transition
(`curate.transition`): how often it is right, and how it leans towards length and formatting, given t. On gold pairs t is known. All of it is
fitted by expectation-maximisation (Dawid and Skene 1979; Raykar et al. 2010, where the classifier is part of the model), so that the noise is estimated from the
whole pool and not from gold alone, and a model that learnt wrong labels is not taken for an independent witness.

The head is penalised, the few numbers c, a, b and the transitions are not: a head shrunk for want of data, with its margins taken as they
are, would leave to length and to the sources what it cannot say itself. Every quantity changes sign when replies change places. The penalty is
a prior worth the same number of pairs whatever the pool's size: chosen by how well heads predict the sources on held-out contexts, it would always be
the smallest, since the folds learn from each other's beliefs. Pairs whose people's label was asked for because of what sources and features
say do not bias the estimate: the choice of pairs rests on what the model conditions on.

Shapes: N pairs, R components, K fits (without each fold, and of the whole).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from goldsmith.curate.evidence import Said, from_margins
from goldsmith.curate.surface import Surface
from goldsmith.curate.transition import Transition, by_trust, fit_transition, most_trusted
from goldsmith.reward.logistic import fit_logistic
from goldsmith.reward.marginal import COMPONENTS, PRECISION
from goldsmith.reward.soft import SoftFits, sigmoid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

ROUNDS = 300
"""Rounds of expectation and maximisation at most; some hundred are usual."""
INNER = 12
"""Steps of the heads in a round: the next round goes on from there."""
SETTLED = 1e-4
"""Mean change of the probabilities at which the rounds end."""
MARGIN_PRECISION = 10.0
"""Of c: a normal prior around 1. Held-out margins of a head that has learnt next to nothing point the wrong way; without a prior the rounds would turn them round, and stay there."""
SURFACE_PRECISION = 0.1
"""Of a and b: a normal prior of standard deviation 3."""
P_LIMIT = 1e-4
"""No probability is nearer to 0 or 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Joint:
    """The estimate.

    Attributes:
        weight: head on features as they come, times c, [D].
        surface: a and b, on the differences of length and formatting as they come; zeros where these were not to be read.
        transitions: how each source errs; a source that says nothing is absent.
        margin: of `first` over `second` by heads that saw nothing of the pair's context, calibrated, in logits [N].
        p_first: probability that `first` is better by `margin` and the sources, [N]; people's labels are not in it.
        said: by the sources alone, for models that are not to learn their own margins.
        trust: names of the sources, the one that people agree with most often first.
        rounds: until the estimate stood still.
    """

    weight: Floats
    surface: tuple[float, float]
    transitions: dict[str, Transition]
    margin: Floats
    p_first: Floats
    said: Said
    trust: tuple[str, ...]
    rounds: int


def fit_joint(
    differences: Floats,
    contexts: Sequence[str],
    sources: Mapping[str, Floats],
    human: Floats,
    differs: Surface,
    seed: int,
    *,
    folds: int = 5,
    with_surface: bool = True,
) -> Joint:
    """Return the estimate.

    Args:
        differences: features of `first` minus those of `second`, [N, D].
        contexts: context ids [N]; a context is never on both sides of a fold.
        sources: by name what each says: 1 for `first`, 0 for `second`, between for shares of samples, NaN for nothing, [N].
        human: the same by people; on these pairs, and only there, the truth is known.
        differs: length and formatting.
        seed: of the folds.
        folds: parts.
        with_surface: let the head read length and formatting beside the features.

    Raises:
        ValueError: fewer than two contexts, or no gold pair.
    """
    known = ~np.isnan(human)
    if len(set(contexts)) < 2 or not known.any():
        raise ValueError("a joint estimate needs pairs of two contexts and a gold pair")
    return _Fit(differences, contexts, sources, human, differs, seed, folds, with_surface).run()


class _Fit:
    def __init__(
        self,
        differences: Floats,
        contexts: Sequence[str],
        sources: Mapping[str, Floats],
        human: Floats,
        differs: Surface,
        seed: int,
        folds: int,
        with_surface: bool,
    ) -> None:
        from goldsmith.reward.head import assign_folds
        from goldsmith.reward.logistic import principal_basis

        self.sources = {name: np.asarray(said, dtype=np.float64) for name, said in sources.items() if not np.isnan(said).all()}
        self.human, self.differs = human, differs
        self.known = ~np.isnan(human)
        rows, self.scale = _scaled(np.asarray(differences, dtype=np.float64))
        coordinates, self.basis = principal_basis(rows, COMPONENTS)
        self.fits = SoftFits(coordinates)
        self.fold = assign_folds(contexts, folds, seed)
        parts = range(int(self.fold.max()) + 1)
        # Columns: one fit without each fold, then the whole.
        self.weight_NK = np.stack([(self.fold != part).astype(float) for part in parts] + [np.ones(len(human))], axis=1)
        self.l2_K = PRECISION / self.weight_NK.sum(0)
        self.surface = np.stack([differs.length, differs.format], axis=1) * float(with_surface)

    def run(self) -> Joint:
        noise = self._noise(self.human, self.known)
        # By people alone: what sources that err alike say of each other is no reason to trust them.
        trust = by_trust({name: noise.get(name) for name in self.sources})
        beta = np.zeros((self.fits.rows_NR.shape[1], len(self.l2_K)))
        prior, lean = np.zeros(len(self.human)), np.zeros(3)
        believed = self._believed(prior, noise)
        rounds, change = 0, 1.0
        while rounds < ROUNDS and change > SETTLED:
            beta = self.fits.fit(believed[:, None], self.weight_NK, self.l2_K, beta, steps=INNER)
            rows = self._rows(beta)
            lean = self._calibrated(rows, believed)
            prior = rows @ lean
            noise = self._noise(self._believed(prior, noise))
            before, believed = believed, self._believed(prior, noise)
            rounds, change = rounds + 1, float(np.abs(believed - before).mean())
        evidence = self._evidence(noise)
        p_first, together = (np.clip(from_margins(logits), P_LIMIT, 1.0 - P_LIMIT) for logits in (prior + evidence, evidence))
        return Joint(
            weight=self.basis @ beta[:, -1] / self.scale * lean[0], surface=(float(lean[1]), float(lean[2])), transitions=noise,
            margin=prior, p_first=p_first, said=Said(together=together, trusted=most_trusted(self.sources, trust)), trust=trust, rounds=rounds,
        )  # fmt: skip

    def _rows(self, beta: Floats) -> Floats:
        """m, dl and df of each pair, [N, 3]; m by the fit that left the pair's fold out."""
        margin = (self.fits.rows_NR @ beta)[np.arange(len(self.human)), self.fold]
        return np.concatenate([margin[:, None], self.surface], axis=1)

    @staticmethod
    def _calibrated(rows: Floats, believed: Floats) -> Floats:
        """c, a and b that fit what is believed."""
        both, shares = np.concatenate([rows, -rows]), np.concatenate([believed, 1.0 - believed])
        # The margin is there already; what is fitted is its change. A column of a smaller size has the greater precision.
        size = np.sqrt(SURFACE_PRECISION / np.array([MARGIN_PRECISION, SURFACE_PRECISION, SURFACE_PRECISION]))
        change = fit_logistic(both * size, SURFACE_PRECISION / len(rows), shares, offset_N=both[:, 0])
        return np.array([1.0, 0.0, 0.0]) + change * size

    def _believed(self, prior: Floats, noise: Mapping[str, Transition]) -> Floats:
        """Probability that `first` is better; people's word where there is one, [N]."""
        return np.where(self.known, np.nan_to_num(self.human), sigmoid(prior + self._evidence(noise)))

    def _evidence(self, noise: Mapping[str, Transition]) -> Floats:
        """Log-likelihood ratio of `first` by all sources, [N]."""
        return sum((one.evidence(self.sources[name], self.differs) for name, one in noise.items()), np.zeros(len(self.human)))

    def _noise(self, believed: Floats, pairs: NDArray[np.bool_] | None = None) -> dict[str, Transition]:
        """Transitions that fit what is believed of all pairs, or of some; a source that says nothing on them has none."""
        of = np.ones(len(believed), dtype=bool) if pairs is None else pairs
        differs, truth = self.differs.of(of), np.ones(int(of.sum()))
        found = {name: fit_transition(said[of], truth, differs, believed[of]) for name, said in self.sources.items()}
        return {name: one for name, one in found.items() if one is not None}


def _scaled(differences: Floats) -> tuple[Floats, Floats]:
    """Rows of a typical squared length of 1, and what was divided by; a feature that never differs counts for nothing."""
    spread = np.sqrt((differences**2).mean(0))
    spread[spread < 1e-6 * max(float(spread.max()), 1e-30)] = np.inf
    spread *= np.sqrt(differences.shape[1])
    return differences / spread, spread
