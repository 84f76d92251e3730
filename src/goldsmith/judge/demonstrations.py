"""Which human-labelled pairs a judge is shown: the nearest of gold train, never the pair itself or anything like it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from goldsmith.judge.protocol import Demonstration
from goldsmith.judge.sample import shown_first_of
from goldsmith.retrieve.index import ExactIndex, Vectors
from goldsmith.retrieve.text import context_text
from goldsmith.types import Attributes, Pair


@dataclass(frozen=True, kw_only=True)
class Demonstrations:
    """Gold train as a source of examples. A pair's own context is always left out, so that gold train can be judged too.

    Attributes:
        pairs: N examples with their human label; never of gold validation or audit.
        vectors: theirs, shape [N, D].
        attributes: by pair id, of examples and of the pairs to judge; shown with both.
        vectors_of: gives the vectors of pairs to judge by their ids, shape [M, D].
        count: examples for one pair at most.
    """

    pairs: Sequence[Pair]
    vectors: Vectors = field(repr=False)
    attributes: Mapping[str, Attributes] = field(repr=False)
    vectors_of: Callable[[Sequence[str]], Vectors] = field(repr=False)
    count: int = 8

    def find(self, pairs: Sequence[Pair], seed: int) -> dict[str, list[Demonstration]]:
        """Return the examples for each pair by its id, the nearest first.

        Left out for a pair: itself, pairs of its context, and pairs whose prompt differs from its own in case and spacing alone.

        Args:
            pairs: M pairs to judge.
            seed: of the order in which an example's replies are shown.
        """
        if not self.pairs or not pairs or self.count == 0:
            return {pair.pair_id: [] for pair in pairs}
        index = ExactIndex([pair.pair_id for pair in self.pairs], self.vectors)
        contexts = np.asarray([pair.context_id for pair in self.pairs])
        prompts = np.asarray([_normalised(pair) for pair in self.pairs], dtype=object)
        vectors = self.vectors_of([pair.pair_id for pair in pairs])
        found = {}
        for at, pair in enumerate(pairs):
            allowed = (contexts != pair.context_id) & (prompts != _normalised(pair))
            hits = index.search(vectors[at : at + 1], self.count, allowed)[0]
            found[pair.pair_id] = [self._demonstration(self.pairs[hit.row], seed) for hit in hits]
        return found

    def _demonstration(self, pair: Pair, seed: int) -> Demonstration:
        shown_first = shown_first_of(pair.pair_id, seed)
        return Demonstration(pair=pair, attributes=self.attributes.get(pair.pair_id), shown_first=shown_first)


def _normalised(pair: Pair) -> str:
    return " ".join(context_text(pair.context).casefold().split())
