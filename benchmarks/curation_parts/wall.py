"""The oracle wall: clean labels are behind two doors, the human oracle (counted, logged, limited) and the final scorer.

`build` is the only place where truth and pool meet. It hands out a `Pool`, in which there is no truth, and closures over it. Arms get the
pool and an oracle; the scorer stays with the harness. A test changes the truth of every pair that no arm asked about, with noisy labels
and judges as they were, and demands the same decisions of every arm.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

ERROR_BY_GAP = ((1.0, 0.35), (2.0, 0.16), (3.0, 0.09))
"""People's rate of error where GPT-4's log-odds of the two replies differ by less than the first number (the data's own README)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replies:
    """N pairs as they are measured; no labels.

    Attributes:
        difference: features of `first` minus those of `second`, [N, D].
        embedding: of the prompt, unit vectors [N, E].
        prompts: prompt of each pair.
        length, format: log ratios of first over second [N].
    """

    difference: Any
    embedding: Any
    prompts: Sequence[str]
    length: Any
    format: Any

    def of(self, rows: Any) -> Replies:
        """Return some of the pairs."""
        names = np.asarray(self.prompts, dtype=object)[rows].tolist()
        return Replies(
            difference=self.difference[rows], embedding=self.embedding[rows], prompts=names,
            length=self.length[rows], format=self.format[rows],
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.prompts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """What every arm may see: replies, the labels as they came (True: first is preferred), and the judge's choices."""

    replies: Replies
    label: Any
    judge: Any


@dataclass(slots=True)
class Oracle:
    """People: asked about places of the pool, at most `budget` of them; every read is logged."""

    budget: int
    _answer: Callable[[int], bool] = field(repr=False)
    log: list[int] = field(default_factory=list)

    def ask(self, places: Sequence[int]) -> Any:
        """Return whether people prefer `first`, for each place; asking again about a place costs nothing.

        Raises:
            PermissionError: the budget does not reach.
        """
        new = [place for place in dict.fromkeys(int(place) for place in places) if place not in set(self.log)]
        if len(self.log) + len(new) > self.budget:
            raise PermissionError(
                f"{len(self.log)} labels were read and {len(new)} more are asked for; the budget is {self.budget}"
            )
        self.log += new
        return np.array([self._answer(int(place)) for place in places], dtype=bool)

    @property
    def left(self) -> int:
        """Labels that may still be read."""
        return self.budget - len(self.log)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorer:
    """The final measurement; never handed to an arm."""

    tests: dict[str, Replies]
    right: Callable[[str, Any], Any] = field(repr=False)
    """From a test's name and the margins of first over second: whether each pair is right, [N]."""
    decisions: Callable[[Any, Any], dict[str, float]] = field(repr=False)
    """From (kept, flipped), masks over the pool: precision and recall of both against the truth."""
    clean: Callable[[], Any] = field(repr=False)
    """The pool's clean labels, for the reference arm `clean` alone."""


def build(
    replies: Replies,
    truth: Any,
    gap: Any,
    pool_rows: Any,
    test_rows: dict[str, Any],
    label: Any,
    judge: Any,
    budget: int,
    seed: int,
) -> tuple[Pool, Oracle, Scorer]:
    """Return pool, oracle and scorer.

    Args:
        replies: all pairs.
        truth: whether `first` is better, [N].
        gap: by how much, in log-odds; small gaps are where people err.
        pool_rows: places of the pool's pairs.
        test_rows: places of each test's pairs.
        label: noisy labels of the pool's pairs.
        judge: the judge's choices on them.
        budget: labels people may give.
        seed: of people's errors, fixed for each pair.
    """
    truth = np.asarray(truth, dtype=bool).copy()
    inside = truth[pool_rows]
    errs = np.random.default_rng((seed, 11)).random(len(inside)) < human_error(np.asarray(gap)[pool_rows])
    tests = {name: (replies.of(rows), truth[rows]) for name, rows in test_rows.items()}
    pool = Pool(replies=replies.of(pool_rows), label=np.asarray(label, dtype=bool), judge=np.asarray(judge, dtype=bool))
    wrong = pool.label != inside

    def quality(kept: Any, flipped: Any) -> dict[str, float]:
        return {
            "keep_precision": _share(~wrong & kept, kept),
            "keep_recall": _share(~wrong & kept, ~wrong),
            "flip_precision": _share(wrong & flipped, flipped),
            "flip_recall": _share(wrong & flipped, wrong),
        }

    return (
        pool,
        Oracle(budget, lambda place: bool(inside[place] != errs[place])),
        Scorer(
            tests={name: found for name, (found, _) in tests.items()},
            right=lambda name, margin: (np.asarray(margin) > 0) == tests[name][1],
            decisions=quality,
            clean=lambda: inside.copy(),
        ),
    )


def human_error(gap: Any) -> Any:
    """Return people's rate of error for each gap."""
    size = np.abs(np.asarray(gap, dtype=float))
    rate = np.zeros(len(size))
    for bound, error in reversed(ERROR_BY_GAP):
        rate[size < bound] = error
    return rate


def _share(part: Any, whole: Any) -> float:
    return float(part.sum() / whole.sum()) if whole.sum() else float("nan")
