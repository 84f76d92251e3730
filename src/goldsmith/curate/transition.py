"""How a source of labels errs: the chance of each choice given the truth, as a function of length and formatting.

Model: P(choice = first | truth t) = sigmoid(truth * t + length * dl + format * df), with t = +1 or -1 and the differences of
`Surface`. `truth` alone is uniform noise (a rate of sigmoid(-truth)); `length` and `format` are what an annotator who likes long or
decorated replies adds. Swapping the replies mirrors everything, so there is no constant term.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from goldsmith.curate.evidence import from_margins
from goldsmith.curate.surface import Surface

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

PRIOR_PRECISION = 0.25
"""Of `truth`: a normal prior of standard deviation 2, so that gold without an error does not prove a source infallible."""
SURFACE_SCALE = 0.25
"""Length and formatting have a prior of a quarter of that: a source is not thought to follow them before gold shows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """The estimate.

    Attributes:
        truth: log-odds of a right choice between replies of the same surface.
        length: added for each unit of the log ratio of lengths.
        format: added for each unit of the log ratio of formatting.
        num_pairs: gold pairs it rests on.
        wrong: share of them on which the source is wrong, in [0, 1].
    """

    truth: float
    length: float
    format: float
    num_pairs: int
    wrong: float

    def wrong_at(self, length: float, format: float = 0.0) -> float:
        """Return the chance of a wrong choice where the better reply is shorter or longer.

        Args:
            length: log ratio of the better reply's length to the other's; negative where the better one is shorter.
            format: the same of formatting.
        """
        return float(from_margins(-(self.truth + self.length * length + self.format * format)))

    def evidence(self, p_first: Floats, differs: Surface) -> Floats:
        """Return the log-likelihood ratio of `first` being better against `second`, float64 [N].

        Args:
            p_first: what the source says: 1 for `first`, 0 for `second`, between for shares of samples; NaN: nothing, which is no evidence.
            differs: of the pairs.
        """
        return self._log_likelihood(p_first, differs, 1.0) - self._log_likelihood(p_first, differs, -1.0)

    def _log_likelihood(self, p_first: Floats, differs: Surface, truth: float) -> Floats:
        """Return the log-likelihood of what the source says under a truth of +1 (`first`) or -1, float64 [N]; 0 where it says nothing."""
        margin = self.truth * truth + self.length * differs.length + self.format * differs.format
        is_silent = np.isnan(p_first)
        share = np.where(is_silent, 0.0, p_first)
        told = share * _log_sigmoid(margin) + (1.0 - share) * _log_sigmoid(-margin)
        return np.asarray(np.where(is_silent, 0.0, told), dtype=np.float64)

    def to_dict(self) -> dict[str, Any]:
        """Return the estimate as JSON values."""
        return asdict(self)


def fit_transition(p_first: Floats, truth: Floats, differs: Surface, believed: Floats | None = None) -> Transition | None:
    """Return the estimate from gold pairs; None where the source says nothing on any of them.

    Args:
        p_first: what the source says, [N], as in `Transition.evidence`.
        truth: +1 where people prefer `first`, -1 where `second`, [N].
        differs: of the pairs.
        believed: the probability that `truth` is the truth, [N], where it is not known; none: it is known.
    """
    from goldsmith.reward.logistic import fit_logistic

    said = ~np.isnan(p_first)
    count = int(said.sum())
    if not count:
        return None
    share, truth, part = p_first[said], truth[said], differs.of(said)
    sure = np.ones(count) if believed is None else believed[said]
    # A column of a quarter the size has sixteen times the precision: sd 0.5 for what length and formatting add.
    rows = np.stack([truth, SURFACE_SCALE * part.length, SURFACE_SCALE * part.format], axis=1)
    # Both directions, weighted by the source's share for each: the likelihood of a soft choice. And both truths, weighted by belief.
    other = rows * np.array([-1.0, 1.0, 1.0])
    parts = [
        (rows, sure * share),
        (-rows, sure * (1.0 - share)),
        (other, (1.0 - sure) * share),
        (-other, (1.0 - sure) * (1.0 - share)),
    ]
    beta = fit_logistic(
        np.concatenate([part for part, _ in parts]), PRIOR_PRECISION / count, np.concatenate([weight for _, weight in parts])
    )
    missed = np.where(truth > 0, 1.0 - share, share)
    wrong = float((sure * missed + (1.0 - sure) * (1.0 - missed)).mean())
    return Transition(
        truth=float(beta[0]),
        length=float(SURFACE_SCALE * beta[1]),
        format=float(SURFACE_SCALE * beta[2]),
        num_pairs=count,
        wrong=wrong,
    )


def by_trust(transitions: Mapping[str, Transition | None]) -> tuple[str, ...]:
    """Return the names of sources from the one that is wrong least often to the one that is most; those without a transition last."""

    def wrong(name: str) -> float:
        known = transitions[name]
        return 2.0 if known is None else known.wrong

    return tuple(sorted(transitions, key=wrong))


def most_trusted(said: Mapping[str, Floats], order: Sequence[str]) -> Floats:
    """Return of each pair what the first source says that says anything, [N]; NaN where none does.

    Args:
        said: by source, as in `Transition.evidence`.
        order: names of sources, the most trusted first.
    """
    found = np.full(len(next(iter(said.values()))), np.nan)
    for name in order:
        found = np.where(np.isnan(found), said[name], found)
    return found


def _log_sigmoid(values: Floats) -> Floats:
    return np.asarray(-np.logaddexp(0.0, -values), dtype=np.float64)
