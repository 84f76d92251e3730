"""One pool with one oracle, and heads on it: out of fold by prompt, a fraction of a second each, and never fitted twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from curation_parts.wall import Oracle, Pool
from goldsmith.retrieve.adaptive_k import adaptive_k
from goldsmith.reward.head import assign_folds
from goldsmith.reward.logistic import principal_basis
from goldsmith.reward.marginal import fit_marginal
from goldsmith.reward.soft import SoftFits, sigmoid

L2 = (1.0, 0.1, 0.03, 0.01, 0.003)
COMPONENTS = 256
"""Principal components of the features that a head may use."""
FOLDS = 5
ROUNDS = 2
TEMPERATURES = np.exp(np.linspace(np.log(0.25), np.log(20.0), 40))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A head on the differences of features, [D], and its margins of all pairs, out of fold by prompt, in logits [N]."""

    weight: Any
    margin: Any


class Lab:
    """A pool and people; `memo` holds fits by their training set, for all arms of one pool."""

    def __init__(self, pool: Pool, oracle: Oracle, seed: int, memo: dict[Any, Any] | None = None) -> None:
        self.pool, self.oracle, self.seed = pool, oracle, seed
        self.num = len(pool.replies)
        self.memo = {} if memo is None else memo

    def fit(self, p_first: Any, use: Any) -> Fit:
        """Return the head of the pairs in use under labels that are probabilities."""
        p_first, use = np.asarray(p_first, dtype=float), np.asarray(use, dtype=bool)
        key = (use.tobytes(), np.where(use, p_first, 0.0).tobytes())
        if key not in self.memo:
            self.memo[key] = self._fit(p_first, np.flatnonzero(use))
        return self.memo[key]

    def margins(self, label: Any, use: Any) -> Any:
        """Margins by heads fitted to hard labels of the pairs in use, out of fold by prompt, [N]."""
        return self.fit(np.asarray(label, dtype=float), use).margin

    def _fit(self, p_first: Any, rows: Any) -> Fit:
        width = self.pool.replies.difference.shape[1]
        if len(rows) < 2 or len({self.pool.replies.prompts[place] for place in rows}) < 2:
            return Fit(weight=np.zeros(width), margin=np.zeros(self.num))
        scaled, scale = self.scaled()
        fits, basis = self._basis(rows, scaled)
        fold = self._folds()
        parts = int(fold.max()) + 1
        weights = np.stack([(fold[rows] != part).astype(float) for part in range(parts)] + [np.ones(len(rows))], axis=1)
        beta = fits.fit(p_first[rows, None], np.tile(weights, (1, len(L2))), np.repeat(L2, parts + 1))
        best, warm = self._chosen(beta, fits.rows_NR, fold[rows], p_first[rows], parts)
        chosen = basis @ beta[:, best * (parts + 1) : (best + 1) * (parts + 1)] / warm
        margin = (scaled @ chosen)[np.arange(self.num), fold]
        return Fit(weight=chosen[:, -1] / scale, margin=margin)

    def fit_evidence(self, p_first: Any, use: Any) -> Fit:
        """Return the head of the pairs in use that learns what sources say as evidence (`goldsmith.reward.marginal`)."""
        (scaled, scale), fold, used = self.scaled(), self._folds(), np.asarray(use, dtype=float)
        parts = int(fold.max()) + 1
        weights = np.stack([used * (fold != part) for part in range(parts)] + [used], axis=1)
        heads = fit_marginal(scaled, np.asarray(p_first, dtype=float), weights)
        return Fit(weight=heads[:, -1] / scale, margin=(scaled @ heads)[np.arange(self.num), fold])

    @staticmethod
    def _chosen(beta: Any, rows: Any, fold: Any, p_first: Any, parts: int) -> tuple[int, float]:
        """The penalty and temperature with the best held-out likelihood."""
        found = []
        for place in range(len(L2)):
            margin = (rows @ beta[:, place * (parts + 1) : place * (parts + 1) + parts])[np.arange(len(rows)), fold]
            # One pair in N + 2 is wrong whatever the margins say, as in `goldsmith.reward.logistic.best_temperature`.
            wrong = 1.0 / (len(rows) + 2.0)
            target = p_first * (1.0 - wrong) + (1.0 - p_first) * wrong
            loss = [
                np.mean(target * np.logaddexp(0.0, -margin / warm) + (1.0 - target) * np.logaddexp(0.0, margin / warm))
                for warm in TEMPERATURES
            ]
            found.append((float(min(loss)), place, float(TEMPERATURES[int(np.argmin(loss))])))
        _, place, warm = min(found)
        return place, warm

    def scaled(self) -> tuple[Any, Any]:
        """Differences whose typical squared length is 1, and what they were divided by."""
        if "scaled" not in self.memo:
            rows = np.asarray(self.pool.replies.difference, dtype=np.float64)
            spread = np.sqrt((rows**2).mean(0))
            spread[spread < 1e-6 * max(float(spread.max()), 1e-30)] = np.inf
            scale = spread * np.sqrt(rows.shape[1])
            self.memo["scaled"] = rows / scale, scale
        return self.memo["scaled"]

    def _basis(self, rows: Any, scaled: Any) -> tuple[SoftFits, Any]:
        if len(rows) < self.num:
            coordinates, basis = principal_basis(scaled[rows], COMPONENTS)
            return SoftFits(coordinates), basis
        if "basis" not in self.memo:
            coordinates, basis = principal_basis(scaled, COMPONENTS)
            self.memo["basis"] = SoftFits(coordinates), basis
        return self.memo["basis"]

    def _folds(self) -> Any:
        if "folds" not in self.memo:
            self.memo["folds"] = assign_folds(self.pool.replies.prompts, FOLDS, self.seed)
        return self.memo["folds"]

    def at_random(self, count: int) -> Any:
        """Places of that many pairs, prompts as different as possible."""
        order = np.random.default_rng((self.seed, 3)).permutation(self.num)
        return spread(order, self.pool.replies.prompts)[:count]

    def by_errors(self, count: int) -> tuple[Any, Any]:
        """Places that people see when half are drawn and the rest asked for by the errors on them, in rounds; and the silver asked for."""
        gold = self.at_random(count - count // 2).tolist()
        silver: list[int] = self.at_random(self.num)[len(gold) :][: 4 * count].tolist()
        share = max(1, (count // 2) // ROUNDS)
        while len(gold) < count:
            ranked = self.retrieve(gold, silver)
            fresh = [place for place in ranked if place not in set(gold)]
            people = fresh[: min(share, count - len(gold))]
            if not people:
                people = [place for place in self.at_random(self.num).tolist() if place not in set(gold)][: count - len(gold)]
            gold += people
            silver += [place for place in fresh[len(people) :] if place not in set(silver)]
        return np.array(gold), np.array(sorted(set(silver) - set(gold)))

    def retrieve(self, gold: list[int], silver: list[int]) -> list[int]:
        """The article's retrieval: neighbours of gold pairs by prompt, k by the error of a model trained on silver."""
        use = np.zeros(self.num, dtype=bool)
        use[silver] = True
        margin = self.margins(self.pool.judge, use)
        truth = self.oracle.ask(gold)
        vectors = self.pool.replies.embedding
        priority = np.zeros(self.num)
        for place, is_first in zip(gold, truth, strict=True):
            p = float(sigmoid(margin[place] if is_first else -margin[place]))
            likeness = vectors @ vectors[place]
            likeness[[*gold, *silver]] = -np.inf
            near = np.argsort(-likeness, kind="stable")[: adaptive_k(p)]
            priority[near] += np.maximum(likeness[near], 0.0) * (1.0 - p)
        return [int(place) for place in np.argsort(-priority, kind="stable") if priority[place] > 0]

    def nearest_even(self, p_first: Any, count: int, *, without: Any) -> Any:
        """Places whose probability is nearest to even odds, every prompt once before any twice."""
        order = np.argsort(np.abs(np.asarray(p_first) - 0.5), kind="stable")
        closed = set(np.asarray(without).tolist())
        # Among the least sure tenth prompts differ; beyond it doubt comes before variety.
        doubted = np.array([place for place in order.tolist() if place not in closed])
        near = spread(doubted[: max(count, self.num // 10)], self.pool.replies.prompts)
        return near[:count]


def spread(order: Any, prompts: Any) -> Any:
    """Return places so that every prompt comes once before any comes twice."""
    turns: dict[str, int] = {}
    keys = []
    for rank, place in enumerate(np.asarray(order).tolist()):
        turn = turns[prompts[place]] = turns.get(prompts[place], -1) + 1
        keys.append((turn, rank, place))
    return np.array([place for _, _, place in sorted(keys)], dtype=int)
