"""Does a judge do better when it is shown human-labelled pairs like the one it judges, rather than random ones, or none?

    python benchmarks/judge_examples.py --check   the nearest-example judge on 200 pairs of each set, the embedded model on 4; under five minutes
    python benchmarks/judge_examples.py --full    all pairs of each set, the embedded model on 24; resumable (--work)

On PandaLM (majority of three people) and auto-j; ties left out. Examples come from the same set, never from the context of the pair that
is judged. Two judges:

- the embedded model, each pair in both orders; its figure is the share of verdicts on the human's side, so that a taste for a position
  gives 50 % and not more;
- a judge without any knowledge, which uses only what the prompt shows it: every example votes for the reply that differs from its rival
  as the example's winner differs from its loser, weighted by how near the two conversations are. "By meaning" compares embeddings of
  the replies, "by length" the sign of the difference of lengths. A vote of zero counts half. Without examples it knows nothing: 50 %.

Differences are paired by pair; intervals (95 %) resample prompts. Needs GOLDSMITH_DATA.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from goldsmith.attributes.run import label_attributes
from goldsmith.attributes.taxonomy import load_taxonomy
from goldsmith.config.attributes import AttributesConfig
from goldsmith.config.judge import JudgeConfig
from goldsmith.config.llm import EndpointConfig, LlmConfig
from goldsmith.evaluate.statistics import Estimate, accuracy, paired_difference
from goldsmith.identity import unit_interval
from goldsmith.judge import Demonstrations, judge_pairs, judges
from goldsmith.judge.protocol import Demonstration
from goldsmith.llm import LlmGroup
from goldsmith.pool.sources import read_pairs
from goldsmith.progress import ConsoleProgress
from goldsmith.retrieve.embed import Embedder
from goldsmith.retrieve.index import Vectors
from goldsmith.retrieve.text import pair_text, plain_text
from goldsmith.types import Pair
from speed.data import data_folder

ROOT = Path(__file__).resolve().parents[1]
SETS = {"PandaLM": "humans_pandalm.jsonl.gz", "auto-j": "no_licence_stated/autoj_pairwise.jsonl.gz"}
COUNT, SEED, RANDOM_DRAWS = 8, 11, 20
PROMPT_TOKENS = 1400
"""Room of the embedded model's prompt: the pair, and four or five examples."""
Outcomes = dict[str, float]
"""By pair id, how right a judge was, from 0 to 1."""


@dataclass(frozen=True, kw_only=True)
class RandomDemonstrations(Demonstrations):
    """Examples drawn at random from other contexts: what retrieval has to beat."""

    draw: int = 0

    def find(self, pairs: Sequence[Pair], seed: int) -> dict[str, list[Demonstration]]:
        generator = np.random.default_rng([seed, self.draw])
        contexts = np.asarray([other.context_id for other in self.pairs])
        drawn = {}
        for pair in pairs:
            others = np.flatnonzero(contexts != pair.context_id)
            rows = generator.choice(others, size=min(self.count, len(others)), replace=False)
            drawn[pair.pair_id] = [self._demonstration(self.pairs[row], seed) for row in rows]
        return drawn


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """A set of human-labelled pairs, and the vectors of what they hold."""

    name: str
    pairs: list[Pair]
    examples: Demonstrations
    prompt: Mapping[str, Vectors]
    replies: Mapping[str, tuple[Vectors, Vectors]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="a fixed sample (the default)")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--work", type=Path, default=ROOT / ".work" / "judge_examples")
    arguments = parser.parse_args()
    used, asked = (None, 24) if arguments.full else (200, 4)
    embedder = Embedder(cache=arguments.work / "vectors.sqlite")
    sets = [read_set(name, embedder, used) for name in SETS]
    print(f"{'judge':<26} {'set':<8} {'examples':<10} {'pairs':>5} {'prompts':>7}  right (95 %)           against random (95 %)")
    for labelled in sets:
        for name, kernel in {"nearest, by meaning": by_meaning, "nearest, by length": by_length}.items():
            tell(name, labelled, nearest_arms(labelled, kernel))
    config = LlmConfig(endpoints=[EndpointConfig(name="smollm2-135m", kind="embedded", prompt_tokens=PROMPT_TOKENS)])
    failed = 0
    with LlmGroup(config, arguments.work / "llm.sqlite", seed=SEED) as llm:
        for labelled in sets:
            arms, lost = llm_arms(labelled, llm, asked)
            failed += lost
            tell("embedded model", labelled, arms)
    if failed:
        print(f"FAILED: {failed} verdicts of the embedded model could not be used; goal 0")
        return 1
    print("every verdict could be used")
    return 0


def read_set(name: str, embedder: Embedder, used: int | None) -> Labelled:
    """Read `used` of the pairs that people decided, or all, with attributes by the classifier."""
    path = data_folder() / SETS[name]
    pairs = [pair for pair in read_pairs(path) if isinstance(pair, Pair) and pair.label != "tie" and pair.first != pair.second]
    pairs = sorted({pair.pair_id: pair for pair in pairs}.values(), key=lambda pair: unit_interval(f"used:{pair.pair_id}", SEED))[
        :used
    ]
    found, _ = label_attributes(pairs, AttributesConfig(llm_pairs=0), None, embedder, load_taxonomy(None), SEED)
    attributes = {item.pair_id: item for item in found}
    texts = [pair_text(pair.context, attributes[pair.pair_id]) for pair in pairs]
    vectors = embedder.embed(texts).vectors
    sides = [embedder.embed([plain_text(getattr(pair, side)) for pair in pairs]).vectors for side in ("first", "second")]
    place = {pair.pair_id: at for at, pair in enumerate(pairs)}
    examples = Demonstrations(
        pairs=pairs,
        vectors=vectors,
        attributes=attributes,
        vectors_of=lambda ids: vectors[[place[key] for key in ids]],
        count=COUNT,
    )
    prompt = {pair.pair_id: vectors[at] for at, pair in enumerate(pairs)}
    replies = {pair.pair_id: (sides[0][at], sides[1][at]) for at, pair in enumerate(pairs)}
    return Labelled(name=name, pairs=pairs, examples=examples, prompt=prompt, replies=replies)


def random_of(examples: Demonstrations, draw: int = 0) -> RandomDemonstrations:
    return RandomDemonstrations(
        pairs=examples.pairs, vectors=examples.vectors, attributes=examples.attributes, vectors_of=examples.vectors_of,
        count=examples.count, draw=draw,
    )  # fmt: skip


def by_meaning(labelled: Labelled, pair: Pair) -> Vectors:
    """How the first reply differs from the second, as a direction among embeddings."""
    first, second = labelled.replies[pair.pair_id]
    away = first - second
    return away / max(1e-9, float(np.linalg.norm(away)))


def by_length(labelled: Labelled, pair: Pair) -> Vectors:
    """Which reply is longer: [1], [-1], or [0] for the same length."""
    return np.asarray([np.sign(len(plain_text(pair.first)) - len(plain_text(pair.second)))], dtype=np.float32)


def nearest_arms(labelled: Labelled, kernel: Callable[[Labelled, Pair], Vectors]) -> dict[str, Outcomes]:
    """What the judge without knowledge makes of retrieved and of random examples (the mean of several draws)."""
    retrieved = nearest_outcomes(labelled, labelled.examples, kernel)
    draws = [nearest_outcomes(labelled, random_of(labelled.examples, draw), kernel) for draw in range(RANDOM_DRAWS)]
    return {"random": {key: float(np.mean([draw[key] for draw in draws])) for key in retrieved}, "retrieved": retrieved}


def nearest_outcomes(labelled: Labelled, source: Demonstrations, kernel: Callable[[Labelled, Pair], Vectors]) -> Outcomes:
    shown = source.find(labelled.pairs, SEED)
    outcomes = {}
    for pair in labelled.pairs:
        own = kernel(labelled, pair)
        votes = 0.0
        for example in shown[pair.pair_id]:
            nearness = max(0.0, float(labelled.prompt[pair.pair_id] @ labelled.prompt[example.pair.pair_id]))
            towards = 1.0 if example.pair.label == "first" else -1.0
            votes += nearness * towards * float(own @ kernel(labelled, example.pair))
        right = votes if pair.label == "first" else -votes
        outcomes[pair.pair_id] = 0.5 if right == 0 else float(right > 0)
    return outcomes


def llm_arms(labelled: Labelled, llm: LlmGroup, asked: int) -> tuple[dict[str, Outcomes], int]:
    """What the embedded model says with no, random and retrieved examples, and how many of its verdicts failed."""
    pairs = sorted(labelled.pairs, key=lambda pair: unit_interval(f"asked:{pair.pair_id}", SEED))[:asked]
    sources = {
        "none": replace(labelled.examples, count=0),
        "random": random_of(labelled.examples),
        "retrieved": labelled.examples,
    }
    arms, failed, progress = {}, 0, ConsoleProgress()
    for number, (name, source) in enumerate(sources.items(), 1):
        progress.stage(number, len(sources), f"{labelled.name}, examples: {name}")
        run = judge_pairs(pairs, source, judges(llm.names, llm), JudgeConfig(samples=2), SEED, progress.update)
        labels = {pair.pair_id: pair.label for pair in pairs}
        rights: dict[str, list[float]] = {}
        for verdict in run.verdicts:
            failed += verdict.failure is not None
            right = 0.5 if verdict.choice == "tie" else float(verdict.choice == labels[verdict.pair_id])
            rights.setdefault(verdict.pair_id, []).extend([] if verdict.failure else [right])
        arms[name] = {key: float(np.mean(values)) for key, values in rights.items() if values}
        print(
            f"  {labelled.name}, {name}: {run.demonstrations_shown:.1f} examples a prompt, {run.shortened} prompts cut",
            flush=True,
        )
    return arms, failed


def tell(judge: str, labelled: Labelled, arms: Mapping[str, Outcomes]) -> None:
    """Print one line for each arm: how often it is right, and how much more often than with random examples."""
    ids = sorted(set.intersection(*(set(outcomes) for outcomes in arms.values())))
    contexts = {pair.pair_id: pair.context_id for pair in labelled.pairs}
    clusters = [contexts[key] for key in ids]
    values = {name: [outcomes[key] for key in ids] for name, outcomes in arms.items()}
    for name, own in values.items():
        versus = "" if name == "random" else told(paired_difference(own, values["random"], clusters, seed=SEED), sign="+")
        print(
            f"{judge:<26} {labelled.name:<8} {name:<10} {len(ids):>5} {len(set(clusters)):>7}  {told(accuracy(own, clusters, seed=SEED)):<22} {versus}",
            flush=True,
        )


def told(estimate: Estimate, sign: str = "") -> str:
    value, low, high = (100 * (number or 0.0) for number in (estimate.value, estimate.low, estimate.high))
    return f"{value:{sign}.1f} ({low:{sign}.1f} to {high:{sign}.1f})"


if __name__ == "__main__":
    raise SystemExit(main())
