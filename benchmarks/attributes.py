"""The offline classifier: its speed on pairs that are embedded, and its agreement with the hand-labelled pairs.

    python benchmarks/attributes.py --check      100,000 pairs of synthetic embeddings; exit 1 when the goal is missed
    python benchmarks/attributes.py --full       the same, and the agreement of classifier and word rules with the 200 pairs

Goal: 100,000 pairs, once embedded, in at most 5 minutes on one thread. Timed is all that `classify_vectors` does: similarity to
every phrasing, the cues' regular expressions, the word rules, and the records. Vectors are random unit vectors of 384 numbers
(time does not depend on their values); prompts are random draws of words from the hand-labelled prompts, as long as real ones.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from goldsmith.attributes.classify import Classifier
from goldsmith.attributes.hand_labelled import load_hand_labelled
from goldsmith.attributes.measure import measure_sources
from goldsmith.attributes.quality import Quality, measure_labels
from goldsmith.attributes.rules import controversiality_shift, objectivity_shift
from goldsmith.attributes.taxonomy import load_taxonomy
from goldsmith.config.attributes import AttributesConfig
from goldsmith.retrieve.embed import Embedded, Embedder
from goldsmith.retrieve.text import last_user_turn

PAIRS, DIMENSIONS, GOAL_S = 100_000, 384, 300.0
BATCH = 10_000
"""Pairs of one call, so that memory stays small."""
SEED = 7


class SyntheticEmbedder:
    """Random unit vectors: what an embedder returns, at no cost."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def embed(self, texts: Sequence[str], progress: object = None) -> Embedded:
        rows = self.rng.standard_normal((len(texts), DIMENSIONS), dtype=np.float32)
        return Embedded(vectors=rows / np.linalg.norm(rows, axis=1, keepdims=True), truncated=0, cached=0)


def prompts(count: int, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    words = [word for item in load_hand_labelled() for word in last_user_turn(item.prompt).split()]
    # Lengths as in public pools: most prompts are short, some are pages long (log-normal, median 30 words, mean about 50).
    lengths = np.maximum(1, rng.lognormal(np.log(30), 1.0, size=count)).astype(int)
    return [" ".join(words[at] for at in rng.integers(0, len(words), size=length)) for length in lengths]


def speed() -> tuple[float, float]:
    """Return seconds by the clock, and of the processor."""
    embedder = SyntheticEmbedder(SEED)
    classifier = Classifier(load_taxonomy(), embedder)  # type: ignore[arg-type]
    turns = prompts(PAIRS, SEED)
    classifier.classify_vectors(turns[:100], embedder.embed(turns[:100]).vectors)
    seconds = busy = 0.0
    for start in range(0, PAIRS, BATCH):
        batch = turns[start : start + BATCH]
        vectors = embedder.embed(batch).vectors
        started, worked = time.perf_counter(), time.process_time()
        found = classifier.classify_vectors(batch, vectors)
        seconds += time.perf_counter() - started
        busy += time.process_time() - worked
        assert len(found) == len(batch)
    return seconds, busy


def agreement() -> list[Quality]:
    rows = measure_sources(AttributesConfig(), None, Embedder(), load_taxonomy(), SEED)
    items = load_hand_labelled()
    turns = [last_user_turn(item.prompt) for item in items]
    for name, rule, otherwise in (
        ("objectivity", objectivity_shift, "factual"),
        ("controversiality", controversiality_shift, "low"),
    ):
        truth = [getattr(item.attributes, name) for item in items]
        rows.append(measure_labels("rules alone", name, truth, [rule(turn) or otherwise for turn in turns], seed=SEED))
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument("--check", action="store_true")
    group.add_argument("--full", action="store_true")
    arguments = parser.parse_args()
    seconds, busy = speed()
    print(
        f"classifier, {PAIRS:,} pairs of {DIMENSIONS} numbers: {seconds:.1f} s (goal: at most {GOAL_S:.0f} s), {busy:.1f} s of the processor, {PAIRS / seconds:,.0f} a second"
    )
    if arguments.full:
        print(f"{'source':12} {'attribute':17} {'right':>6}  {'95 %':13} {'constant':>8} {'kappa':>6}  {'95 %':14} used")
        for row in agreement():
            figures = (row.accuracy, row.low, row.high, row.baseline, row.kappa, row.kappa_low, row.kappa_high)
            right, low, high, constant, kappa, kappa_low, kappa_high = (float("nan") if x is None else x for x in figures)
            print(
                f"{row.source:12} {row.attribute:17} {right:6.3f}  {low:.3f}-{high:.3f}   {constant:8.3f} {kappa:6.3f}  "
                f"{kappa_low:.3f}-{kappa_high:.3f}    {'yes' if row.used else 'no'}"
            )
    return 0 if seconds <= GOAL_S else 1


if __name__ == "__main__":
    sys.exit(main())
