"""The truth and everybody's errors, estimated together: learning from several sources that err, with some pairs people have judged.

Model: the better reply of pair i is t = +1 (`first`) or -1, with P(t) = sigmoid(t (c m + a dl + b df)): m is the margin of a Bradley-Terry
head on the replies' features, read out of fold, dl and df the differences of length and formatting. Each source (the label as it came, the judges) chooses by its own transition
(`curate.transition`): how often it is right, and how it leans towards length and formatting, given t. On gold pairs t is known. All of it is
fitted by expectation-maximisation (Dawid and Skene 1979; Raykar et al. 2010, where the classifier is part of the model), so that the noise is estimated from the
whole pool and not from gold alone, and a model that learnt wrong labels is not taken for an independent witness.

The head is penalised, the few numbers c, a, b and the transitions are not: a head shrunk for want of data, with its margins taken as they
are, would leave to length and to the sources what it cannot say itself. Every quantity changes sign when replies change places. The penalty
is chosen by how well heads predict what the sources say on held-out contexts. No truth beyond gold is needed for that. Pairs whose people's label was asked for because of what sources and features say do not bias the
estimate: the choice of pairs rests on what the model conditions on.

Shapes: N pairs, R components, K fits (folds and the whole, for each penalty).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from goldsmith.curate.evidence import from_margins
from goldsmith.curate.surface import Surface
from goldsmith.curate.transition import Transition, fit_transition
from goldsmith.reward.logistic import fit_logistic
from goldsmith.reward.soft import SoftFits, sigmoid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

L2 = (1.0, 0.1, 0.03, 0.01, 0.002)
"""Penalties tried, on features scaled as in `reward.head`."""
COMPONENTS = 256
"""Principal components of the features at most: what is beyond them is noise to a head of some thousand pairs."""
ROUNDS = 40
"""Rounds of expectation and maximisation at most."""
INNER = 12
"""Steps of the heads in a round: the next round goes on from there."""
SETTLED = 1e-3
"""Mean change of the probabilities at which the rounds end."""
PRIOR_PRECISION = 0.1
"""Of c, a and b: a normal prior of standard deviation 3, worth a tenth of a pair."""
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
        l2: the penalty chosen.
        predicts: mean log-likelihood of what sources say on held-out contexts, nats a pair.
        rounds: until the estimate stood still.
    """

    weight: Floats
    surface: tuple[float, float]
    transitions: dict[str, Transition]
    margin: Floats
    p_first: Floats
    l2: float
    predicts: float
    rounds: int


def fit_joint(
    differences: Floats,
    contexts: Sequence[str],
    sources: Mapping[str, Floats],
    human: Floats,
    differs: Surface,
    seed: int,
    *,
    l2s: Sequence[float] = L2,
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
        l2s: penalties to choose from.
        folds: parts.
        with_surface: let the head read length and formatting beside the features.

    Raises:
        ValueError: fewer than two contexts, or no gold pair.
    """
    known = ~np.isnan(human)
    if len(set(contexts)) < 2 or not known.any():
        raise ValueError("a joint estimate needs pairs of two contexts and a gold pair")
    return _Fit(differences, contexts, sources, human, differs, seed, l2s, folds, with_surface).run()


class _Fit:
    def __init__(
        self,
        differences: Floats,
        contexts: Sequence[str],
        sources: Mapping[str, Floats],
        human: Floats,
        differs: Surface,
        seed: int,
        l2s: Sequence[float],
        folds: int,
        with_surface: bool,
    ) -> None:
        from goldsmith.reward.head import assign_folds
        from goldsmith.reward.logistic import principal_basis

        self.sources = {name: np.asarray(said, dtype=np.float64) for name, said in sources.items() if not np.isnan(said).all()}
        self.human, self.differs, self.l2s = human, differs, np.array(sorted(l2s, reverse=True))
        self.known = ~np.isnan(human)
        rows, self.scale = _scaled(np.asarray(differences, dtype=np.float64))
        coordinates, self.basis = principal_basis(rows, COMPONENTS)
        self.fits = SoftFits(coordinates)
        self.fold = assign_folds(contexts, folds, seed)
        self.num_folds = int(self.fold.max()) + 1
        # Columns: for each penalty one fit without each fold, then the whole.
        one = np.stack([(self.fold != part).astype(float) for part in range(self.num_folds)] + [np.ones(len(human))], axis=1)
        self.weight_NK = np.tile(one, (1, len(self.l2s)))
        self.l2_K = np.repeat(self.l2s, self.num_folds + 1)
        self.surface = np.stack([differs.length, differs.format], axis=1) * float(with_surface)

    def run(self) -> Joint:
        truth, gold = np.where(self.human[self.known] > 0.5, 1.0, -1.0), self.differs.of(self.known)
        found = {name: fit_transition(said[self.known], truth, gold) for name, said in self.sources.items()}
        noise = [{name: one for name, one in found.items() if one is not None} for _ in self.l2s]
        beta = np.zeros((self.fits.rows_NR.shape[1], len(self.l2_K)))
        prior, lean = np.zeros((len(self.human), len(self.l2s))), [np.zeros(3) for _ in self.l2s]
        believed = self._believed(prior, noise)
        rounds, change = 0, 1.0
        while rounds < ROUNDS and change > SETTLED:
            beta = self.fits.fit(np.repeat(believed, self.num_folds + 1, axis=1), self.weight_NK, self.l2_K, beta, steps=INNER)
            lean = [self._calibrated(rows, believed[:, at]) for at, rows in enumerate(self._rows(beta))]
            prior = np.stack([rows @ one for rows, one in zip(self._rows(beta), lean, strict=True)], axis=1)
            noise = [self._noise(one) for one in self._believed(prior, noise).T]
            before, believed = believed, self._believed(prior, noise)
            rounds, change = rounds + 1, float(np.abs(believed - before).mean())
        predicts = [_predicts(prior[:, at], *self._said(noise[at])) for at in range(len(self.l2s))]
        best = int(np.argmax(predicts))
        head = self.basis @ beta[:, best * (self.num_folds + 1) + self.num_folds] / self.scale * lean[best][0]
        p_first = np.clip(from_margins(prior[:, best] + self._evidence(noise[best])), P_LIMIT, 1.0 - P_LIMIT)
        return Joint(
            weight=head, surface=(float(lean[best][1]), float(lean[best][2])), transitions=noise[best], margin=prior[:, best],
            p_first=p_first, l2=float(self.l2s[best]), predicts=predicts[best], rounds=rounds,
        )  # fmt: skip

    def _rows(self, beta: Floats) -> list[Floats]:
        """For each penalty m, dl and df of each pair, [N, 3]; m by the fit that left the pair's fold out."""
        held_out = np.empty((len(self.human), len(self.l2s)))
        for part in range(self.num_folds):
            held = self.fold == part
            held_out[held] = self.fits.rows_NR[held] @ beta[:, part :: self.num_folds + 1]
        return [np.concatenate([held_out[:, [at]], self.surface], axis=1) for at in range(len(self.l2s))]

    @staticmethod
    def _calibrated(rows: Floats, believed: Floats) -> Floats:
        """c, a and b that fit what is believed."""
        both, shares = np.concatenate([rows, -rows]), np.concatenate([believed, 1.0 - believed])
        return fit_logistic(both, PRIOR_PRECISION / len(rows), shares)

    def _believed(self, prior: Floats, noise: Sequence[Mapping[str, Transition]]) -> Floats:
        """Probability that `first` is better, for each penalty; people's word where there is one, [N, penalties]."""
        evidence = np.stack([self._evidence(one) for one in noise], axis=1)
        return np.where(self.known[:, None], np.nan_to_num(self.human)[:, None], sigmoid(prior + evidence))

    def _evidence(self, noise: Mapping[str, Transition]) -> Floats:
        """Log-likelihood ratio of `first` by all sources, [N]."""
        return sum((one.evidence(self.sources[name], self.differs) for name, one in noise.items()), np.zeros(len(self.human)))

    def _said(self, noise: Mapping[str, Transition]) -> tuple[Floats, Floats]:
        """Log-likelihood of all that sources say, if `first` is better and if `second` is; people rule one of them out, [N] each."""
        none = np.zeros(len(self.human))
        if_first, if_second = (
            sum((one.log_likelihood(self.sources[name], self.differs, truth) for name, one in noise.items()), none)
            for truth in (1.0, -1.0)
        )
        is_first = np.nan_to_num(self.human) > 0.5
        return np.where(self.known & ~is_first, -np.inf, if_first), np.where(self.known & is_first, -np.inf, if_second)

    def _noise(self, believed: Floats) -> dict[str, Transition]:
        """Transitions that fit what is believed of every pair, and known of gold."""
        found = {name: fit_transition(said, np.ones(len(said)), self.differs, believed) for name, said in self.sources.items()}
        return {name: one for name, one in found.items() if one is not None}


def _predicts(margin: Floats, if_first: Floats, if_second: Floats) -> float:
    """Mean log-likelihood of what sources and people say, by margins of heads that did not see them, nats."""
    return float(np.mean(np.logaddexp(if_first - np.logaddexp(0.0, -margin), if_second - np.logaddexp(0.0, margin))))


def _scaled(differences: Floats) -> tuple[Floats, Floats]:
    """Rows of a typical squared length of 1, and what was divided by; a feature that never differs counts for nothing."""
    spread = np.sqrt((differences**2).mean(0))
    spread[spread < 1e-6 * max(float(spread.max()), 1e-30)] = np.inf
    spread *= np.sqrt(differences.shape[1])
    return differences / spread, spread
