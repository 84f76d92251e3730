"""How often the gate passes, fails or cannot decide a batch, by its size and the true agreement of its annotators.

Votes are simulated: the better reply is the first in 42 % of pairs, the second in 47 %, neither in 11 % (the shares of PandaLM's 999 pairs); an annotator
finds it with a probability that gives exactly the true alpha, and otherwise names one of the other two. `--check` draws 100 batches of each kind, `--full`
1,000.
"""

from __future__ import annotations

import argparse
from collections import Counter

import numpy as np

from goldsmith.gold.agreement import Pattern, alpha_of, gate_outcome

SHARES = np.array([0.42, 0.47, 0.11])
MIN_ALPHA = 0.85
ALPHAS = (0.80, 0.85, 0.90)
SIZES = (50, 100, 300, 1000, 3000, 10_000)


def confusion(accuracy: float) -> np.ndarray:
    """What is said (columns) by what is true (rows)."""
    size = len(SHARES)
    return np.full((size, size), (1 - accuracy) / (size - 1)) + np.eye(size) * (accuracy - (1 - accuracy) / (size - 1))


def true_alpha(accuracy: float) -> float:
    """Alpha of endlessly many pairs: one less the share of disagreeing votes over that of votes drawn from all."""
    said = confusion(accuracy)
    agree = float((SHARES[:, None] * said**2).sum())
    return 1 - (1 - agree) / (1 - float(((SHARES @ said) ** 2).sum()))


def accuracy_of(alpha: float) -> float:
    low, high = 0.5, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if true_alpha(middle) < alpha else (low, middle)
    return low


def batch(generator: np.random.Generator, size: int, raters: int, accuracy: float) -> Counter[Pattern]:
    truth = generator.choice(len(SHARES), size, p=SHARES)
    cumulative = confusion(accuracy).cumsum(axis=1)[truth]
    said = (generator.random((size, raters, 1)) > cumulative[:, None, :]).sum(axis=2)
    counts = np.stack([(said == category).sum(axis=1) for category in range(len(SHARES))], axis=1)
    rows, times = np.unique(counts, axis=0, return_counts=True)
    return Counter({tuple(map(int, row)): int(count) for row, count in zip(rows, times, strict=True)})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--full", action="store_true")
    draws = 1000 if parser.parse_args().full else 100
    generator = np.random.default_rng(0)
    print(f"bar {MIN_ALPHA}, {draws} batches of each kind; share that passes / fails / is undecided")
    print("| votes a pair | pairs | " + " | ".join(f"true alpha {alpha:.2f}" for alpha in ALPHAS) + " |")
    print("|---|---|" + "---|" * len(ALPHAS))
    for raters in (3, 2):
        for size in SIZES:
            cells = []
            for alpha in ALPHAS:
                accuracy = accuracy_of(alpha)
                found = Counter(
                    gate_outcome(
                        alpha_of(batch(generator, size, raters, accuracy), "nominal", seed=draw, resamples=300), MIN_ALPHA
                    )
                    for draw in range(draws)
                )
                cells.append(" / ".join(f"{100 * found[outcome] / draws:.0f} %" for outcome in ("pass", "fail", "undecided")))
            print(f"| {raters} | {size:,} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
