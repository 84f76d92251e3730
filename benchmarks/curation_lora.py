"""Do the decisive arms of `curation.py` come out alike when adapters are trained instead of a head? The same cells, pairs and labels, with LoRA.

    python benchmarks/curation_lora.py --features DIR                              1,000 pairs, one seed: hours on two cores
    python benchmarks/curation_lora.py --features DIR --pool 12000 --layers 30 --reply-tokens 512 --tests 2000 --seeds 5    for a GPU

DIR is what `curation_features.py` wrote; texts are read again from GOLDSMITH_DATA. Every arm decides as in `curation.py`, from the frozen
features; what it has the final model learn is then learnt by LoRA, with `goldsmith.train`, and the head's result on the same test pairs
stands beside it. Corrections by people's labels are for heads alone, so those arms are not here. The trunk is cut after `--layers` layers,
as for the features. Killed, the same call goes on: arm by arm, and within an arm from its last checkpoint.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from curation_features import evaluation_data, planned
from curation_parts.arms import final_head
from curation_parts.cells import trained
from curation_parts.data import MAIN_TEST, READOUT, Data, read, split
from curation_parts.outcomes import Cell, decoded, encoded, results_of
from curation_parts.sources import Source
from goldsmith.config.reward import RewardConfig
from goldsmith.config.train import LoraConfig, TrainConfig
from goldsmith.evaluate.statistics import Estimate, accuracy, paired_difference
from goldsmith.identity import digest
from goldsmith.reward.checkpoint import locate, quiet_loading
from goldsmith.reward.model import RewardModel
from goldsmith.store import atomic
from goldsmith.train import train_reward_model
from goldsmith.types import Pair

ARMS = ("clean", "raw", "joint, soft", "LLM labels + gold", "gold only")
"""Those that decide: what could be won, what there was, ours, and the best peers; the first two before the others."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", type=Path, required=True, help="folder of curation_features.py")
    parser.add_argument("--work", type=Path, default=Path(__file__).resolve().parents[1] / ".work" / "curation_lora")
    parser.add_argument("--base", default="embedded")
    parser.add_argument("--noise", default="length", choices=["uniform", "length", "format"])
    parser.add_argument("--rate", type=float, default=0.45)
    parser.add_argument("--judge", type=float, default=0.75, help="how often the simulated judge is right")
    parser.add_argument("--budget", type=float, default=0.05, help="share of the pool that people label")
    parser.add_argument("--pool", type=int, default=1000)
    parser.add_argument("--tests", type=int, default=400, help="test pairs at most")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--reply-tokens", type=int, default=200, help="replies are cut behind so many tokens")
    parser.add_argument("--layers", type=int, default=15, help="the trunk is cut after so many layers")
    parser.add_argument("--adapt", type=int, help="adapt only so many layers at its end; none: all")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--arms", nargs="*", default=list(ARMS))
    parser.add_argument("--readout", nargs="+", default=list(READOUT), help="of the features: mean states after these layers")
    arguments = parser.parse_args()
    data = read(arguments.features, tuple(arguments.readout))
    work = arguments.work / named(arguments)
    base = shallow(arguments.base, arguments.layers, arguments.work)
    texts = Texts(data, base, arguments.reply_tokens)
    for seed in range(1, arguments.seeds + 1):
        run_seed(data, texts, base, work, seed, arguments)
    print("\n".join(table(results_of(work / "results.jsonl"), data, tests_of(data, arguments.tests))))
    return 0


def named(arguments: argparse.Namespace) -> str:
    """Return the folder's name: whatever decides a result decides it; arms and seeds stand in its lines."""
    decides = {name: value for name, value in vars(arguments).items() if name not in ("work", "arms", "seeds")}
    told = "{noise}-{rate}-{pool}-{layers}".format_map(decides)
    return f"{told}-{digest({name: str(value) for name, value in decides.items()})[:12]}"


def shallow(base: str, layers: int, work: Path) -> Path:
    """Return a folder with a base's first layers, embeddings, final norm and tokenizer; the base's own where it has no more layers."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    source = locate(base)
    if layers >= AutoConfig.from_pretrained(source).num_hidden_layers:
        return source
    folder = work / f"base-{digest(str(source))[:12]}-{layers}"
    if not folder.is_dir():
        with atomic.write_directory(folder) as aside, quiet_loading():
            AutoModelForCausalLM.from_pretrained(source, num_hidden_layers=layers, dtype="float32").save_pretrained(aside)
            AutoTokenizer.from_pretrained(source).save_pretrained(aside)
    return folder


class Texts:
    """The pairs of the experiment with their texts, replies cut behind a number of tokens."""

    def __init__(self, data: Data, base: Path, reply_tokens: int) -> None:
        from transformers import AutoTokenizer

        groups = planned(evaluation_data(), sys.maxsize, "pool")
        self._sources = {(source.group, source.id): source for group in groups.values() for source in group}
        self._names = [(row["group"], row["id"]) for row in data.extra]
        self._tokenizer, self._reply_tokens = AutoTokenizer.from_pretrained(base), reply_tokens

    def pairs(self, places: Sequence[int], p_first: Any) -> Iterator[tuple[Pair, float]]:
        """Yield pairs, each with the probability that the pair's own `first` is better, from that of the data's `first`."""
        for place, p in zip(places, p_first, strict=True):
            source: Source = self._sources[self._names[place]]
            first, second = self._cut(source.first), self._cut(source.second)
            pair = Pair.from_replies(source.messages, *((first, second) if p > 0.5 else (second, first)))
            yield pair, float(p if pair.first == first else 1.0 - p)

    def _cut(self, text: str) -> str:
        ids = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return text if len(ids) <= self._reply_tokens else str(self._tokenizer.decode(ids[: self._reply_tokens]))


def tests_of(data: Data, most: int) -> dict[str, Any]:
    """Return places of at most so many test pairs of held-out prompts, the same for every seed."""
    rows = split(data, 0, 1)[1][MAIN_TEST]
    return {MAIN_TEST: np.sort(np.random.default_rng(9).permutation(rows)[:most])}


def run_seed(data: Data, texts: Texts, base: Path, work: Path, seed: int, arguments: argparse.Namespace) -> None:
    """Train and measure the arms of one seed that are missing."""
    cell = Cell(size=arguments.pool, noise=arguments.noise, rate=arguments.rate, judge=arguments.judge, budget=arguments.budget, seed=seed)  # fmt: skip
    path, tests = work / "results.jsonl", tests_of(data, arguments.tests)
    known = {(row["cell"], row["arm"]) for row in results_of(path)}
    missing = [arm for arm in arguments.arms if (cell.key, arm) not in known]
    pool = split(data, cell.size, seed)[0]
    for arm, lab, training, scorer in trained(data, cell, missing, tests):
        print(f"seed {seed}, {arm}: {int(training.use.sum()):,} pairs", flush=True)
        pairs = list(texts.pairs(pool[training.use], np.asarray(training.p_first)[training.use]))
        out = work / f"{seed}-{arm.replace(' ', '-')}"
        learn(pairs, base, out, arguments, seed)
        found = {
            "lora": margins(out, texts, tests[MAIN_TEST]),
            "head": scorer.tests[MAIN_TEST].difference @ final_head(lab, training),
        }
        row = {name: encoded(scorer.right(MAIN_TEST, margin)) for name, margin in found.items()}
        with path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({"cell": cell.key, "arm": arm, "pairs": len(pairs), **row}) + "\n")
        shutil.rmtree(out)


def learn(pairs: Sequence[tuple[Pair, float]], base: Path, out: Path, arguments: argparse.Namespace, seed: int) -> None:
    """Train a model on pairs with probabilities; features for the head it begins with are shared by all arms."""
    config = TrainConfig(
        method="lora", epochs=arguments.epochs, batch_size=arguments.batch_size, soft_labels=True, bootstrap_heads=0,
        lora=LoraConfig(last_layers=arguments.adapt),
    )  # fmt: skip

    def told(done: int, total: int, what: str, loss: str) -> None:
        print(f"\r  {done}/{total} {what} {loss}   ", end="" if done < total else "\n", file=sys.stderr, flush=True)

    train_reward_model(
        [pair for pair, _ in pairs], base, out, config, RewardConfig(feature_cache=out.parent / "features"),
        seed=seed, p_first={pair.pair_id: p for pair, p in pairs}, progress=told,
    )  # fmt: skip


def margins(model: Path, texts: Texts, places: Any) -> Any:
    """Return the margins of the data's `first` over its `second`."""
    pairs = list(texts.pairs(places, np.ones(len(places))))
    scores = RewardModel.load(model).score_pairs([pair for pair, _ in pairs])
    # Where the pair's own `first` is the data's, its probability was 1 too.
    return np.array([(one - other) * (1.0 if p > 0.5 else -1.0) for (one, other), (_, p) in zip(scores, pairs, strict=True)])


def table(rows: list[dict[str, Any]], data: Data, tests: dict[str, Any]) -> list[str]:
    """Return the arms as a table: right in %, difference from raw, and recovered share, by LoRA and by the head, seeds averaged."""
    prompts = [data.replies.prompts[place] for place in tests[MAIN_TEST]]
    arms = list(dict.fromkeys(row["arm"] for row in rows))
    right = {
        (way, arm): np.mean([decoded(row[way]) for row in rows if row["arm"] == arm], axis=0)
        for way in ("head", "lora")
        for arm in arms
    }
    seeds = len({row["cell"] for row in rows})
    lines = [
        f"{len(prompts)} test pairs of {len(set(prompts))} prompts, {seeds} seed{'s' * (seeds > 1)}",
        "",
        "| arm | pairs | head | from raw | share | LoRA | from raw | share |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for arm in arms:
        cells = [cell for way in ("head", "lora") for cell in _cells(right, way, arm, prompts)]
        pairs = next(row["pairs"] for row in rows if row["arm"] == arm)
        lines.append(f"| {arm} | {pairs:,} | {' | '.join(cells)} |")
    return lines


def _cells(right: dict[tuple[str, str], Any], way: str, arm: str, prompts: Sequence[str]) -> tuple[str, str, str]:
    own = accuracy(right[way, arm], prompts, seed=0)
    if (way, "raw") not in right:
        return _percent(own), "", ""
    difference = paired_difference(right[way, arm], right[way, "raw"], prompts, seed=0)
    if (way, "clean") not in right:
        return _percent(own), _points(difference), ""
    raw, clean = (float(right[way, name].mean()) for name in ("raw", "clean"))
    share = f"{(float(right[way, arm].mean()) - raw) / (clean - raw):.2f}" if clean > raw else "-"
    return _percent(own), _points(difference), share


def _percent(found: Estimate) -> str:
    return "-" if found.value is None else f"{100 * found.value:.1f}"


def _points(found: Estimate) -> str:
    if found.value is None or found.low is None or found.high is None:
        return "-"
    return f"{100 * found.value:+.1f} ({100 * found.low:+.1f} to {100 * found.high:+.1f})"


if __name__ == "__main__":
    sys.exit(main())
