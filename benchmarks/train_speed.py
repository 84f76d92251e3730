"""Full training of SmolLM2-135M: Goldsmith's packed rows against a padded loop, TRL, and packing without shared prefixes.

    python benchmarks/train_speed.py --check    a fixed sample (auto-j, 1 step after one of warm-up), at most five minutes
    python benchmarks/train_speed.py --full     20 steps after 3 of warm-up on each kind of data; resumable (--work)
    python benchmarks/train_speed.py --full --kind "long contexts"    one kind of data; its figures serve the whole later

Every contender makes the same optimizer steps on the same pairs from the same float32 weights, in a process of its own; the steps
alternate, a ratio is the median over steps of one's seconds through the other's. The arithmetic is bfloat16 where the processor
multiplies it natively, else float32 (--dtype). Needs GOLDSMITH_DATA and `pip install trl`.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from goldsmith.pool.sources import read_pairs
from goldsmith.reward.checkpoint import choose_dtype, locate
from goldsmith.train.batches import make_units, plan_epoch, select_pairs
from goldsmith.train.export import new_classifier
from goldsmith.types import Pair
from speed.arithmetic import forward_flops, matmul_rate
from speed.contender import Contender
from speed.data import long_contexts, real_pairs, renderer_of
from speed.table import Figure, load, save, show
from speed.trainers import Work, goldsmith, padded, trl

ROOT = Path(__file__).resolve().parents[1]
BATCH, MAX_LENGTH, SEED = 8, 1024, 7
GOALS = {"padded loop": 2.2, "TRL": 3.5, "no sharing": 1.5}
MICRO = {"float32": BATCH // 2, "bfloat16": 1}
"""Pairs of the padded trainers' micro-batches: in bfloat16 the fastest for TRL of 1, 2, 4 and 8 (design/packing.md)."""
LOSS_TOLERANCE = {"float32": 1e-5, "bfloat16": 2e-3}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="a fixed sample (the default)")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--kind", action="append", choices=["auto-j", "alpacaeval", "long contexts"], help="of --full, only this; may be given again")  # fmt: skip
    parser.add_argument("--work", type=Path, default=ROOT / ".work" / "train_speed")
    parser.add_argument("--dtype", choices=["auto", "float32", "bfloat16"], default="auto")
    arguments = parser.parse_args()
    if arguments.kind and not arguments.full:
        parser.error("--kind needs --full")
    import torch

    dtype = str(choose_dtype(arguments.dtype, torch.device("cpu"))).removeprefix("torch.")
    steps, warmup = (20, 3) if arguments.full else (1, 1)
    max_length = MAX_LENGTH
    print(
        f"SmolLM2-135M, {dtype}, {torch.get_num_threads()} threads, batch {BATCH}, at most {max_length} tokens, {steps} steps after {warmup}"
    )
    figures: list[Figure] = []
    kinds: dict[str, Callable[[], list[Pair]]] = {"auto-j": lambda: real_pairs("auto-j", BATCH * (steps + warmup))}
    if arguments.full:
        kinds["alpacaeval"] = lambda: real_pairs("alpacaeval", BATCH * (steps + warmup))
        kinds["long contexts"] = lambda: long_pairs(arguments.work, BATCH * (steps + warmup), max_length)
    for kind in arguments.kind or kinds:
        pairs = kinds[kind]
        path = arguments.work / f"{kind.replace(' ', '-')}-{dtype}-{max_length}-{steps}.json"
        found = load(path) if arguments.full else None
        if found is None:
            found = race(arguments.work, kind, pairs(), max_length, warmup, dtype)
            save(path, found)
        figures += found
    return show(figures)


def race(folder: Path, kind: str, pairs: list[Pair], max_length: int, warmup: int, dtype: str) -> list[Figure]:
    """Run all contenders of one kind of data and return its figures."""
    work, groups = prepare(folder, pairs, max_length, dtype)
    for name in ("ours", "whole", "trl"):
        shutil.rmtree(folder / name, ignore_errors=True)
        shutil.rmtree(folder / f".{name}.work", ignore_errors=True)
    contenders = {"goldsmith": Contender("goldsmith", goldsmith, work, folder / "ours")}
    if kind == "long contexts":
        contenders["no sharing"] = Contender("no sharing", goldsmith, work, folder / "whole", False)
    else:
        contenders["padded loop"] = Contender("padded loop", padded, work)
        contenders["TRL"] = Contender("TRL", trl, work, folder / "trl")
    config = _model_config()
    import torch

    rates = []
    for number in range(len(work.steps)):
        told = ", ".join(f"{name} {contender.step():.1f} s" for name, contender in contenders.items())
        rates.append(matmul_rate(config, getattr(torch, dtype)))
        print(f"  {kind}: step {number + 1}/{len(work.steps)}: {told}, {rates[-1] / 1e9:.0f} GFLOP/s", flush=True)
    for contender in contenders.values():
        contender.close(wait=120.0)
    ours = contenders.pop("goldsmith")
    measured = slice(warmup, None)
    flops = [3 * forward_flops(config, step) for step in groups[measured]]
    speed = BATCH * len(flops) / sum(ours.seconds[measured])
    figures = [Figure(f"{kind}: Goldsmith", speed, None, "pairs/s")]
    for name, contender in contenders.items():
        ratio = median(theirs / mine for theirs, mine in zip(contender.seconds[measured], ours.seconds[measured], strict=True))
        figures.append(
            Figure(
                f"{kind}: against {name}",
                ratio,
                GOALS[name],
                "times",
                note=f"{BATCH * len(flops) / sum(contender.seconds[measured]):.3f} pairs/s",
            )
        )
    if kind != "long contexts":
        used = median(
            work / seconds / rate for work, seconds, rate in zip(flops, ours.seconds[measured], rates[measured], strict=True)
        )
        figures.append(Figure(f"{kind}: arithmetic used", 100 * used, 35.0, "%", note=f"of {median(rates) / 1e9:.0f} GFLOP/s"))
        figures.append(Figure(f"{kind}: peak memory", ours.peak, contenders["TRL"].peak, "GiB", at_most=True, note="goal: TRL's"))
        figures += losses(kind, folder / "ours", contenders, dtype)
    return figures


def losses(kind: str, out: Path, contenders: dict[str, Contender], dtype: str) -> list[Figure]:
    """Largest difference of the loss series, which every trainer makes on the same batches."""
    ours = [
        row["loss"] for row in map(json.loads, (out / "metrics.jsonl").read_text(encoding="utf-8").splitlines()) if "loss" in row
    ]
    return [
        Figure(
            f"{kind}: loss against {name}",
            max(abs(mine - theirs) for mine, theirs in zip(ours, contender.results, strict=True)),
            LOSS_TOLERANCE[dtype],
            at_most=True,
        )
        for name, contender in contenders.items()
    ]


def prepare(folder: Path, pairs: list[Pair], max_length: int, dtype: str) -> tuple[Work, list[list[Any]]]:
    """Return what the contenders get, and the groups of every step."""
    renderer = renderer_of("embedded", max_length)
    chosen = select_pairs(pairs, None, SEED)
    units = make_units(chosen, renderer, BATCH, share=True)
    steps = plan_epoch([len(unit.chosen) for unit in units], BATCH, 0, SEED)
    by_id = {pair.pair_id: pair for pair in chosen}
    ids = [[_ids(renderer, by_id[name]) for number in step for name in units[number].pair_ids] for step in steps]
    work = Work(
        start=_start(folder, renderer.pad_id),
        pairs=chosen,
        steps=ids,
        pad_id=renderer.pad_id,
        max_length=max_length,
        batch_size=BATCH,
        dtype=dtype,
        seed=SEED,
        micro=MICRO[dtype],
    )
    return work, [[units[number].group for number in step] for step in steps]


def long_pairs(folder: Path, count: int, max_length: int) -> list[Pair]:
    """Pairs whose context is about 600 tokens (or most of `max_length`), and each reply about 150."""
    renderer = renderer_of("embedded", max_length)
    context = min(600, max_length - 100)
    rows = long_contexts(renderer, count, context, min(150, max_length - context - 30))
    path = folder / f"long-{max_length}-{count}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "".join(json.dumps({"prompt": turns, "chosen": a, "rejected": b}) + "\n" for turns, (a, b) in rows), encoding="utf-8"
    )
    return [pair for pair in read_pairs(path) if isinstance(pair, Pair)]


def _ids(renderer: Any, pair: Pair) -> tuple[list[int], list[int]]:
    chosen, rejected = (
        renderer.render(pair.messages, content, where=pair.pair_id).ids for content in (pair.chosen, pair.rejected)
    )
    return list(chosen), list(rejected)


def _start(folder: Path, pad_id: int) -> Path:
    """Write the classifier that all begin with: the trunk of SmolLM2 and a small random head."""
    import numpy as np
    from transformers import AutoTokenizer

    path = folder / "start"
    if not (path / "config.json").is_file():
        weight = np.random.default_rng(SEED).normal(0.0, 0.02, _model_config().hidden_size)
        new_classifier(locate("embedded"), pad_id, weight).save_pretrained(path)
        AutoTokenizer.from_pretrained(locate("embedded")).save_pretrained(path)
    return path


def _model_config() -> Any:
    from transformers import AutoConfig

    return AutoConfig.from_pretrained(locate("embedded"))


if __name__ == "__main__":
    raise SystemExit(main())
