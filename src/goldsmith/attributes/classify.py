"""The offline default for the closed attributes: nearest leaf by the mean of its texts' embeddings, and word rules."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from goldsmith.attributes.rules import SHIFT, controversiality_shift, objectivity_shift
from goldsmith.attributes.taxonomy import CONTROVERSIALITIES, OBJECTIVITIES, Controversiality, Objectivity, Taxonomy
from goldsmith.retrieve.embed import Embedder
from goldsmith.retrieve.text import last_user_turn
from goldsmith.types import Message

Matrix = npt.NDArray[np.float32]

MADE_BY = "classifier"
HEAD_CHARACTERS = 360
TAIL_CHARACTERS = 160
"""An instruction stands at the start or the end of a prompt; the middle is usually the material it is about."""
TEMPERATURE = 0.04
"""Cosines over this give the softmax over tasks; of the values tried the likeliest, and calibrated, on one-line requests that are not the hand-labelled pairs."""
CUE_BONUS = 0.25
"""What a cue's words add to a leaf's cosine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """The three closed attributes of one prompt; each confidence is a probability in (0, 1]."""

    task: str
    objectivity: Objectivity
    controversiality: Controversiality
    confidence: dict[str, float]


class Classifier:
    """Compares prompts with every leaf: the mean of its definition's and phrasings' vectors. The taxonomy is embedded once.

    The mean, not the nearest phrasing: a single phrasing wins by its subject, the mean of several leaves the task (nearest class
    mean; design/LOG.md has the figures).
    """

    def __init__(self, taxonomy: Taxonomy, embedder: Embedder) -> None:
        """Keep both; nothing is embedded before the first prompt."""
        self.taxonomy = taxonomy
        self.embedder = embedder
        self._prototypes: Matrix | None = None
        texts: list[str] = []
        starts: list[int] = []
        for leaf in taxonomy.leaf:
            starts.append(len(texts))
            texts += [f"{leaf.en}: {leaf.definition}", *leaf.phrasings]
        self._texts = texts
        self._cues = [
            re.compile("|".join(f"(?:{cue})" for cue in leaf.cues), re.DOTALL) if leaf.cues else None for leaf in taxonomy.leaf
        ]
        self._bias = np.asarray([leaf.bias for leaf in taxonomy.leaf], dtype=np.float32)
        self._starts = np.asarray(starts)

    def classify(self, contexts: Sequence[Sequence[Message]], progress: Callable[[int, int], None] | None = None) -> list[Closed]:
        """Return the closed attributes of each conversation's last user turn, in order.

        Args:
            contexts: conversations; equal prompts are embedded and classified once.
            progress: called with (prompts embedded, prompts).
        """
        turns = [last_user_turn(context) for context in contexts]
        if not turns:
            return []
        distinct = list(dict.fromkeys(turns))
        vectors = self.embedder.embed([instruction(turn) for turn in distinct], progress).vectors
        found = dict(zip(distinct, self.classify_vectors(distinct, vectors), strict=True))
        return [found[turn] for turn in turns]

    def classify_vectors(self, turns: Sequence[str], vectors: Matrix) -> list[Closed]:
        """Return the closed attributes of prompts that are embedded already.

        Args:
            turns: N prompts, for the word rules.
            vectors: their `instruction` texts' unit vectors, shape [N, D].
        """
        probabilities = self.task_probabilities(turns, vectors)
        objectivity = probabilities @ self._one_hot([leaf.objectivity for leaf in self.taxonomy.leaf], OBJECTIVITIES)
        controversiality = probabilities @ self._one_hot(
            [leaf.controversiality for leaf in self.taxonomy.leaf], CONTROVERSIALITIES
        )
        _shift(objectivity, [objectivity_shift(turn) for turn in turns], OBJECTIVITIES)
        _shift(controversiality, [controversiality_shift(turn) for turn in turns], CONTROVERSIALITIES)
        best, kind, heat = probabilities.argmax(axis=1), objectivity.argmax(axis=1), controversiality.argmax(axis=1)
        return [
            Closed(
                task=self.taxonomy.leaf[best[at]].id,
                objectivity=OBJECTIVITIES[kind[at]],
                controversiality=CONTROVERSIALITIES[heat[at]],
                confidence={
                    "task": round(float(probabilities[at, best[at]]), 4),
                    "objectivity": round(float(objectivity[at, kind[at]]), 4),
                    "controversiality": round(float(controversiality[at, heat[at]]), 4),
                },
            )
            for at in range(len(turns))
        ]

    def likely_tasks(self, contexts: Sequence[Sequence[Message]], count: int) -> list[list[str]]:
        """Return the ids of the `count` most probable leaves of each conversation, the likeliest first."""
        turns = [last_user_turn(context) for context in contexts]
        if not turns:
            return []
        vectors = self.embedder.embed([instruction(turn) for turn in turns]).vectors
        best = np.argsort(-self.task_probabilities(turns, vectors), axis=1, kind="stable")[:, :count]
        return [[self.taxonomy.leaf[at].id for at in row] for row in best]

    def task_probabilities(self, turns: Sequence[str], vectors: Matrix) -> Matrix:
        """Return the softmax over leaves, shape [N, leaves], of the cosine with the leaf's mean + cue + bias.

        Args:
            turns: N prompts, for the cues.
            vectors: their `instruction` texts' unit vectors, shape [N, D].
        """
        if self._prototypes is None:
            self._prototypes = self._leaf_means()
        cosines = vectors @ self._prototypes.T + self._bias
        cosines += CUE_BONUS * self._cue_matches(turns)
        scaled = (cosines - cosines.max(axis=1, keepdims=True)) / TEMPERATURE
        weights = np.exp(scaled)
        shares: Matrix = weights / weights.sum(axis=1, keepdims=True)
        return shares

    def _leaf_means(self) -> Matrix:
        """Return the mean vector of each leaf's texts, of length 1, shape [leaves, D]."""
        sums = np.add.reduceat(self.embedder.embed(self._texts).vectors, self._starts, axis=0)
        means: Matrix = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
        return means

    def _cue_matches(self, turns: Sequence[str]) -> Matrix:
        found = np.zeros((len(turns), len(self._cues)), dtype=np.float32)
        for row, turn in enumerate(turns):
            text = instruction(turn).lower()
            for column, cue in enumerate(self._cues):
                if cue is not None and cue.search(text):
                    found[row, column] = 1.0
        return found

    @staticmethod
    def _one_hot(values: Sequence[str], names: Sequence[str]) -> Matrix:
        return np.asarray([[float(value == name) for name in names] for value in values], dtype=np.float32)


def instruction(turn: str) -> str:
    """Return the part of a prompt that says what to do: its head and its tail."""
    if len(turn) <= HEAD_CHARACTERS + TAIL_CHARACTERS:
        return turn
    return f"{turn[:HEAD_CHARACTERS]} … {turn[-TAIL_CHARACTERS:]}"


def _shift(probabilities: Matrix, values: Sequence[str | None], names: Sequence[str]) -> None:
    column: Mapping[str, int] = {name: at for at, name in enumerate(names)}
    for row, value in enumerate(values):
        if value is not None:
            probabilities[row] *= 1.0 - SHIFT
            probabilities[row, column[value]] += SHIFT
