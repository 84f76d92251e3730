"""Does curation help? Raw-trained against curated-trained on held-out pairs, paired, over seeds, whatever comes out.

Both models are trained alike (a head on the frozen trunk's last token), on the same pool with the same reversed labels; only the curation
differs. Judges are switched off: the embedded one is at chance, and a run that found so takes the same path. Seeds vary the noise (real
data), the seed selection, folds and draws. Differences are paired by pair and clustered by prompt.

    python benchmarks/demo_gain.py --check      the demo, 3 seeds; under five minutes once the demo's features are cached
    python benchmarks/demo_gain.py --full       the demo and configs/alpacaeval.toml (needs GOLDSMITH_DATA), 3 seeds, resumable

`--set curate.recycle=none` and the like try another rule. Workspaces and features are kept in --work, so a stopped call goes on.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from goldsmith import GoldsmithConfig, Workspace, load_config, run
from goldsmith.evaluate.statistics import Estimate, accuracy, paired_difference
from goldsmith.identity import digest, unit_interval
from goldsmith.progress import ConsoleProgress

ROOT = Path(__file__).resolve().parents[1]
REAL_PAIRS, CUT_SEED = 1200, 20
REAL_LENGTH, REAL_EVALUATION = 256, 250
"""Tokens read of a conversation, and pairs of each evaluation set: what two cores read in about half an hour."""
WIDEST = 0.25
"""A difference whose interval is wider than this says nothing; --check then fails."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="the demo alone (the default)")
    parser.add_argument("--full", action="store_true", help="the demo and the real configuration")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--pairs", type=int, default=REAL_PAIRS, help="pairs of the real pool, before evaluation and gold contexts leave it"
    )
    parser.add_argument("--work", type=Path, default=ROOT / ".work" / "demo_gain")
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE")
    arguments = parser.parse_args()
    configurations = {"demo": demo_config}
    if arguments.full:
        configurations["alpacaeval"] = real_config
    print(
        f"{'configuration':<13} {'seed':>4} {'set':<14} {'pairs':>6} {'prompts':>7} {'longer':>7} {'raw':>7} {'curated':>8}  difference (95 % interval)"
    )
    widest = 0.0
    for name, make in configurations.items():
        rows = {seed: evaluation(arguments.work, name, make(arguments, seed)) for seed in range(1, arguments.seeds + 1)}
        for seed, found in rows.items():
            print_sets(name, str(seed), found, seed)
        pooled = print_sets(name, "mean", mean_over_seeds(list(rows.values())), 0)
        widest = max(widest, width(pooled))
    if widest > WIDEST:
        print(
            f"FAILED: an interval is {100 * widest:.1f} points wide, more than {100 * WIDEST:.0f}: too few pairs to say anything"
        )
        return 1
    print(f"widest interval of the pooled differences: {100 * widest:.1f} points")
    return 0


def demo_config(arguments: argparse.Namespace, seed: int) -> GoldsmithConfig:
    """The demo's configuration with the head method and without judges."""
    return _adapted(ROOT / "configs" / "demo.toml", arguments, seed, [])


def real_config(arguments: argparse.Namespace, seed: int) -> GoldsmithConfig:
    """The real configuration on a fixed cut of its pool, so that all seeds share the features; the noise differs by seed."""
    folder = os.environ.get("GOLDSMITH_DATA")
    if not folder:
        raise SystemExit("FAILED: --full needs GOLDSMITH_DATA, the folder of evaluation data (docs/data.md)")
    cut = arguments.work / f"pool-{arguments.pairs}.jsonl"
    if not cut.is_file():
        write_cut(Path(folder) / "pool_alpacaeval.jsonl.gz", cut, arguments.pairs)
    path = ROOT / "configs" / "alpacaeval.toml"
    sets = [item.model_dump() | {"limit": REAL_EVALUATION} for item in load_config([path]).evaluate.sets]
    shown = ", ".join(f'{{name="{item["name"]}", path="{item["path"]}", limit={item["limit"]}}}' for item in sets)
    more = [f'pool.sources=["{cut}"]', "pool.limit=1000000", f"reward.max_length={REAL_LENGTH}", f"evaluate.sets=[{shown}]"]
    return _adapted(path, arguments, seed, [*more, f"evaluate.holdout_pairs={REAL_EVALUATION}"])


def write_cut(source: Path, target: Path, count: int) -> None:
    """Write `count` rows of the pool, drawn by hash of their ids: the same ones whatever the seed of a run."""
    with gzip.open(source, "rt", encoding="utf-8") as stream:
        rows = [line for line in stream if line.strip()]
    rows.sort(key=lambda line: unit_interval(str(json.loads(line)["id"]), CUT_SEED))
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_suffix(".part")
    temporary.write_text("".join(rows[:count]), encoding="utf-8")
    temporary.replace(target)


def _adapted(path: Path, arguments: argparse.Namespace, seed: int, more: Sequence[str]) -> GoldsmithConfig:
    cache = arguments.work / "features"
    fixed = [f'base_dir="{path.parent}"', f"seed={seed}", "llm.endpoints=[]", "attributes.llm_pairs=0", "train.method=head"]
    return load_config([path], [*fixed, f'reward.feature_cache="{cache}"', *more, *arguments.overrides])


def evaluation(work: Path, name: str, config: GoldsmithConfig) -> dict[str, list[dict[str, Any]]]:
    """Run a configuration in a workspace of its own, or read what it left, and return the evaluation rows by set."""
    root = work / f"{name}-{digest(config.model_dump(mode='json'))[:12]}"
    root.mkdir(parents=True, exist_ok=True)
    workspace = Workspace(root, config)
    run(workspace, progress=ConsoleProgress())
    found: dict[str, list[dict[str, Any]]] = {}
    for row in workspace.table("evaluation").rows():
        if row["model"] in ("raw", "curated"):
            found.setdefault(row["set"], []).append(row)
    return found


def mean_over_seeds(seeds: Sequence[dict[str, list[dict[str, Any]]]]) -> dict[str, list[dict[str, Any]]]:
    """Average each pair's outcome over the seeds that evaluated it, by set and model."""
    result = {}
    for name in seeds[0]:
        outcomes: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for found in seeds:
            for row in found.get(name, []):
                outcomes.setdefault((row["pair_id"], row["model"]), []).append(row)
        result[name] = [{**rows[0], "correct": float(np.mean([row["correct"] for row in rows]))} for rows in outcomes.values()]
    return result


def print_sets(name: str, seed: str, found: dict[str, list[dict[str, Any]]], bootstrap_seed: int) -> Estimate:
    """Print a line for each set and one for all held-out sets together; return the latter's difference."""
    sets = {**found, "all": [row for rows in found.values() for row in rows]}
    difference = Estimate()
    for set_name, rows in sets.items():
        models = {model: {row["pair_id"]: row for row in rows if row["model"] == model} for model in ("raw", "curated")}
        ids = sorted(models["raw"].keys() & models["curated"].keys())
        contexts = [models["raw"][pair]["context_id"] for pair in ids]
        outcome = {model: [float(models[model][pair]["correct"]) for pair in ids] for model in models}
        longer = [float(models["raw"][pair]["longer_correct"]) for pair in ids]
        means = {model: accuracy(values, contexts, seed=bootstrap_seed).value or 0.0 for model, values in outcome.items()}
        difference = paired_difference(outcome["curated"], outcome["raw"], contexts, seed=bootstrap_seed)
        told = (
            f"{100 * (difference.value or 0):+5.1f} ({100 * (difference.low or 0):+.1f} to {100 * (difference.high or 0):+.1f})"
        )
        print(
            f"{name:<13} {seed:>4} {set_name:<14} {len(ids):>6} {len(set(contexts)):>7} {100 * float(np.mean(longer)):>6.1f}% "
            f"{100 * means['raw']:>6.1f}% {100 * means['curated']:>7.1f}%  {told}",
            flush=True,
        )
    return difference


def width(estimate: Estimate) -> float:
    """Return the width of an interval; 2 when there is none."""
    return 2.0 if estimate.low is None or estimate.high is None else estimate.high - estimate.low


if __name__ == "__main__":
    sys.exit(main())
