"""How far each annotator can be trusted, from the votes alone: Dawid and Skene (1979) and MACE (Hovy et al. 2013), both by EM.

Both are small enough to write out; the usual package pulls in pandas, scikit-learn and more. Tests compare with it and with sums by hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ITERATIONS = 100
TOLERANCE = 1e-6
SMOOTHING = 0.01
"""Votes that every cell is given beforehand, so that nobody is certain after three pairs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Competence:
    """What a model says of the votes.

    Attributes:
        by_person: probability, 0 to 1, that a person's vote is right (Dawid-Skene) or made knowingly (MACE).
        posteriors: probability of each category for each pair, shape [pairs, categories], in order of `pairs`.
        pairs: names of the pairs.
    """

    by_person: dict[str, float]
    posteriors: NDArray[np.float64]
    pairs: list[str]


@dataclass(frozen=True, slots=True)
class _Votes:
    """Votes as whole numbers: pair, person and category of each."""

    pair: NDArray[np.int64]
    person: NDArray[np.int64]
    category: NDArray[np.int64]
    pairs: list[str]
    people: list[str]
    num_categories: int


def dawid_skene(votes: Sequence[tuple[str, str, str]]) -> Competence:
    """Return Dawid and Skene's estimate: each person has a confusion matrix, each pair a true category.

    Args:
        votes: (pair, person, choice) of each vote; none: an empty estimate.
    """
    if not votes:
        return Competence(by_person={}, posteriors=np.zeros((0, 0)), pairs=[])
    data = _numbered(votes)
    posterior, before = _majority(data), -np.inf
    for _ in range(ITERATIONS):
        prior = posterior.mean(axis=0)
        confusion = _confusion(data, posterior)
        joint = np.log(np.maximum(prior, 1e-300))[None] + _sum_by_pair(data, np.log(confusion)[data.person, :, data.category])
        posterior, likelihood = _normalised(joint)
        if likelihood - before < TOLERANCE * abs(likelihood):
            break
        before = likelihood
    right = np.einsum("k,wkk->w", posterior.mean(axis=0), confusion)
    return Competence(by_person=dict(zip(data.people, right.tolist(), strict=True)), posteriors=posterior, pairs=data.pairs)


def mace(votes: Sequence[tuple[str, str, str]]) -> Competence:
    """Return MACE's estimate: a person either knows the category and says it, or does not and says what they usually say then.

    Args:
        votes: (pair, person, choice) of each vote; none: an empty estimate.
    """
    if not votes:
        return Competence(by_person={}, posteriors=np.zeros((0, 0)), pairs=[])
    data = _numbered(votes)
    knows = np.full(len(data.people), 0.8)
    guesses = np.full((len(data.people), data.num_categories), 1 / data.num_categories)
    before = -np.inf
    for _ in range(ITERATIONS):
        by_chance = (1 - knows[data.person]) * guesses[data.person, data.category]
        # What each vote would be worth if category k were true: [votes, categories].
        chances = by_chance[:, None] + knows[data.person][:, None] * _one_hot(data)
        posterior, likelihood = _normalised(_sum_by_pair(data, np.log(np.maximum(chances, 1e-300))))
        agrees = posterior[data.pair, data.category]
        knew = agrees * knows[data.person] / np.maximum(knows[data.person] + by_chance, 1e-300)
        knows, guesses = _mace_step(data, knew)
        if likelihood - before < TOLERANCE * abs(likelihood):
            break
        before = likelihood
    return Competence(by_person=dict(zip(data.people, knows.tolist(), strict=True)), posteriors=posterior, pairs=data.pairs)


def _mace_step(data: _Votes, knew: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    size = len(data.people)
    known, given = np.bincount(data.person, knew, size), np.bincount(data.person, minlength=size)
    knows = (known + SMOOTHING) / (given + 2 * SMOOTHING)
    guesses = np.full((size, data.num_categories), SMOOTHING)
    np.add.at(guesses, (data.person, data.category), 1 - knew)
    return knows, guesses / guesses.sum(axis=1, keepdims=True)


def _numbered(votes: Sequence[tuple[str, str, str]]) -> _Votes:
    pairs, people, categories = (sorted({vote[place] for vote in votes}) for place in range(3))
    numbers = [{name: at for at, name in enumerate(names)} for names in (pairs, people, categories)]
    columns = [np.array([numbers[place][vote[place]] for vote in votes], dtype=np.int64) for place in range(3)]
    return _Votes(columns[0], columns[1], columns[2], pairs, people, len(categories))


def _majority(data: _Votes) -> NDArray[np.float64]:
    counts = np.zeros((len(data.pairs), data.num_categories))
    np.add.at(counts, (data.pair, data.category), 1.0)
    return np.asarray(counts / counts.sum(axis=1, keepdims=True))


def _confusion(data: _Votes, posterior: NDArray[np.float64]) -> NDArray[np.float64]:
    """What each person says, by what is true: [people, true, said], rows sum to 1."""
    counts = np.full((len(data.people), data.num_categories, data.num_categories), SMOOTHING)
    for truth in range(data.num_categories):
        np.add.at(counts[:, truth, :], (data.person, data.category), posterior[data.pair, truth])
    return np.asarray(counts / counts.sum(axis=2, keepdims=True))


def _sum_by_pair(data: _Votes, values: NDArray[np.float64]) -> NDArray[np.float64]:
    total = np.zeros((len(data.pairs), values.shape[1]))
    np.add.at(total, data.pair, values)
    return total


def _one_hot(data: _Votes) -> NDArray[np.float64]:
    return np.asarray(np.eye(data.num_categories)[data.category])


def _normalised(joint: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Log joint probabilities as posteriors, and the log likelihood."""
    highest = joint.max(axis=1, keepdims=True)
    weights = np.exp(joint - highest)
    total = weights.sum(axis=1, keepdims=True)
    return np.asarray(weights / total), float((np.log(total) + highest).sum())
