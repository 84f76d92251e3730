"""The embedded model as a writer of attributes: how long all five take on real pairs, and what they are worth.

    python benchmarks/attributes_llm.py --check    50 real pairs (goal: at most 4 minutes on 2 cores, every reply valid)
    python benchmarks/attributes_llm.py --full     the same, and its agreement with the 200 hand-labelled pairs; resumable (--work)

The pairs are auto-j's, drawn by hash. Needs GOLDSMITH_DATA.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from goldsmith.attributes.measure import measure_sources
from goldsmith.attributes.run import label_attributes
from goldsmith.attributes.taxonomy import load_taxonomy
from goldsmith.config.attributes import AttributesConfig
from goldsmith.config.llm import LlmConfig
from goldsmith.llm import LlmGroup
from goldsmith.progress import ConsoleProgress
from goldsmith.retrieve.embed import Embedder
from speed.data import real_pairs
from speed.table import Figure, show

ROOT = Path(__file__).resolve().parents[1]
PAIRS, HAND_LABELLED, SEED, GOAL_S = 50, 200, 7, 240.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="the timed pairs alone (the default)")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--work", type=Path, default=ROOT / ".work" / "attributes_llm")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    embedder = Embedder()
    figures = timed(arguments.work, embedder)
    if arguments.full:
        measure(arguments.work, embedder)
    return show(figures)


def timed(folder: Path, embedder: Embedder) -> list[Figure]:
    """Label real pairs with an empty cache; the server's start and the classifier's work count too."""
    config = AttributesConfig(llm_pairs=PAIRS, llm_closed_fields=True)
    pairs = real_pairs("auto-j", PAIRS)
    cache = folder / "timed.sqlite"
    for path in folder.glob(f"{cache.name}*"):
        path.unlink()
    progress = ConsoleProgress()
    progress.stage(1, 1, f"{PAIRS} real pairs, all five attributes")
    begun = time.perf_counter()
    with LlmGroup(LlmConfig(), cache, seed=SEED) as llm:
        _, facts = label_attributes(pairs, config, llm, embedder, load_taxonomy(), SEED, progress.update, by_task=False)
    seconds = time.perf_counter() - begun
    counts, agreed = facts["llm"]["counts"], facts["llm"]["agrees_with_classifier"]
    print(
        f"failed: {counts['failed'] or 'none'}; after a repair: {facts['replies']['repaired']}; as the classifier says: {agreed}"
    )
    return [
        Figure(f"{PAIRS} real pairs, five attributes", seconds, GOAL_S, "s", at_most=True),
        Figure("replies valid by schema", float(counts["kept"]), float(counts["total"]), f"of {counts['total']}"),
    ]


def measure(folder: Path, embedder: Embedder) -> None:
    """Print each source's agreement with the hand-labelled pairs."""
    config = AttributesConfig(llm_pairs=1, llm_closed_fields=True, measure_llm=HAND_LABELLED)
    progress = ConsoleProgress()
    progress.stage(1, 1, f"{HAND_LABELLED} hand-labelled pairs")
    with LlmGroup(LlmConfig(), folder / "measured.sqlite", seed=SEED) as llm:
        rows = measure_sources(config, llm, embedder, load_taxonomy(), SEED, progress.update)
    print(f"{'source':18} {'attribute':17} {'right':>6} {'95 %':15} {'constant':>8} {'kappa':>6} {'95 %':15} used")
    for row in rows:
        figures = (row.accuracy, row.low, row.high, row.baseline, row.kappa, row.kappa_low, row.kappa_high)
        right, low, high, constant, kappa, kappa_low, kappa_high = (float("nan") if x is None else x for x in figures)
        print(
            f"{row.source:18} {row.attribute:17} {right:6.3f} {low:.3f} to {high:.3f}  {constant:8.3f} {kappa:6.3f} "
            f"{kappa_low:6.3f} to {kappa_high:.3f} {'yes' if row.used else 'no'}"
        )


if __name__ == "__main__":
    raise SystemExit(main())
