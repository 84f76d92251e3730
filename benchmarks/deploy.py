"""Every way to deploy the embedded model on this machine: `goldsmith export` raced against torch, and the decisions it keeps.

    python benchmarks/deploy.py --check    30 pairs, whose decisions are printed and not judged, 2 calls a length; five minutes on a quiet machine
    python benchmarks/deploy.py --full     every auto-j pair with a preference (506), 15 calls; resumable (--work)
    python benchmarks/deploy.py --full --way "onnx int8"    one way beside torch fp32; its export serves the whole table later

SmolLM2-135M with a head trained on AlpacaEval pairs of other prompts. Batch 1, calls of all ways alternate, medians, each way at the faster
of one and all threads. What this processor cannot compute (bfloat16 without its instructions) is said, not guessed. Needs GOLDSMITH_DATA.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
from dataclasses import asdict
from pathlib import Path

from goldsmith.config.reward import RewardConfig
from goldsmith.config.train import TrainConfig
from goldsmith.export.bench import DEFAULT, LENGTHS, Row, bench_deploy
from goldsmith.export.export import PARITY
from goldsmith.identity import unit_interval
from goldsmith.pool.sources import read_pairs
from goldsmith.train import train_reward_model
from goldsmith.types import Pair
from speed.data import REAL, data_folder, real_pairs
from speed.table import Figure, load, save, show

ROOT = Path(__file__).resolve().parents[1]
SEED = 11
MAX_LENGTH = {"check": 256, "full": 1024}
TRAIN_PAIRS = {"check": 60, "full": 450}
TEST_PAIRS = {"check": 30, "full": 714}
REPEATS = {"check": 2, "full": 15}
ENOUGH = 500
"""Pairs below which a share of decisions says too little to be held against a goal."""
FASTER = {"onnx fp32": 2.0, "openvino bf16": 2.0, "onnx int8": 3.0, "openvino int8": 3.0}
KEPT = {"onnx fp32": 1.0, "openvino bf16": 0.97, "onnx int8": 0.96, "openvino int8": 0.96}
NO_BF16 = "no bf16 arithmetic on this processor: float32 on bf16 weights"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="a sample (the default)")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--work", type=Path, default=ROOT / ".work" / "deploy")
    parser.add_argument("--model", type=Path, help="another reward model's folder")
    parser.add_argument("--way", action="append", help="only these ways, beside torch fp32")
    arguments = parser.parse_args()
    size = "full" if arguments.full else "check"
    path = arguments.work / f"{result_name(size, arguments.model, arguments.way)}.json"
    figures = load(path) if arguments.full else None
    if figures is None:
        model = arguments.model or trained(arguments.work, size)
        pairs = test_file(arguments.work, size)
        exports = arguments.work / "-".join(["exports", size, *([arguments.model.name] if arguments.model else [])])
        ways = ("torch fp32", *(arguments.way or DEFAULT[1:]))
        rows = bench_deploy(
            model,
            exports,
            only=ways,
            repeats=REPEATS[size],
            pairs=pairs,
            max_pairs=TEST_PAIRS[size],
            told=lambda text: print(f"  {text}", flush=True),
        )
        path.with_name(f"rows-{path.name}").write_text(json.dumps([asdict(row) for row in rows], indent=1), encoding="utf-8")
        figures = judged(rows, exports)
        save(path, figures)
    return show(figures)


def result_name(size: str, model: Path | None, ways: list[str] | None) -> str:
    """Return the name of what a call finds: one that measured a few ways, or another model, is not the whole table."""
    return "-".join([size, *([model.name] if model else []), *sorted(way.replace(" ", "-") for way in ways or [])])


def trained(work: Path, size: str) -> Path:
    """Train a head on AlpacaEval pairs whose prompts the test set has not; a call that was killed goes on."""
    tested = {pair.context_id for pair in real_pairs("auto-j", 10_000)}
    one_each: dict[str, Pair] = {}
    for pair in read_pairs(data_folder() / REAL["alpacaeval"]):
        if isinstance(pair, Pair) and pair.label != "tie" and pair.context_id not in tested:
            known = one_each.get(pair.context_id)
            if known is None or unit_interval(pair.pair_id, SEED) < unit_interval(known.pair_id, SEED):
                one_each[pair.context_id] = pair
    chosen = sorted(one_each.values(), key=lambda pair: unit_interval(pair.pair_id, SEED))[: TRAIN_PAIRS[size]]
    settings = RewardConfig(max_length=MAX_LENGTH[size], readout="last", dtype="float32")
    config = TrainConfig(method="head", bootstrap_heads=0)
    return train_reward_model(chosen, "embedded", work / f"model-{size}", config, settings, seed=SEED).path


def test_file(work: Path, size: str) -> Path:
    """Write auto-j's pairs with a preference as a file of their own."""
    path = work / f"auto-j-{size}.jsonl.gz"
    with gzip.open(path, "wt", encoding="utf-8") as stream:
        # Fewer than `ENOUGH` contexts have a preference: all of their pairs are needed.
        for pair in real_pairs("auto-j", TEST_PAIRS[size], one_a_context=False):
            row = {"prompt": pair.messages, "chosen": pair.chosen, "rejected": pair.rejected}
            stream.write(json.dumps(row) + "\n")
    return path


def judged(rows: list[Row], exports: Path) -> list[Figure]:
    """The figures of every way against its goals."""
    by_way = {row.way: row for row in rows}
    base = by_way["torch fp32"]
    figures = [Figure(f"torch fp32, {length} tokens", 1000 * base.p50[length], None, "ms") for length in LENGTHS]
    for row in rows[1:]:
        if row.reason:
            figures.append(Figure(row.way, 0.0, None, "", note=row.reason))
            continue
        figures += [_faster(row, base, length) for length in LENGTHS]
        # Torch's other way is the checkpoint itself: nothing was exported, and no decisions were compared.
        if not row.way.startswith("torch"):
            figures += _parity(row, base, exports / row.way.replace(" ", "-"))
    if "torch bf16" in by_way and not by_way["torch bf16"].reason and "openvino int8" in by_way:
        ratio = by_way["torch bf16"].p50[512] / by_way["openvino int8"].p50[512]
        figures.append(Figure("openvino int8 against torch bf16, 512 tokens", ratio, 1.3, "times"))
    return figures


def _faster(row: Row, base: Row, length: int) -> Figure:
    is_absent = row.way == "openvino bf16" and "float32" in row.note
    goal = None if is_absent else FASTER.get(row.way)
    note = NO_BF16 if is_absent else f"{1000 * row.p50[length]:.0f} ms with {row.threads} threads"
    return Figure(f"{row.way}, {length} tokens: against torch fp32", base.p50[length] / row.p50[length], goal, "times", note=note)


def _parity(row: Row, base: Row, folder: Path) -> list[Figure]:
    parity = json.loads((folder / PARITY).read_text(encoding="utf-8"))
    is_enough = row.pairs >= ENOUGH
    kept = 1.0 - (row.changed or 0.0)
    is_whole = row.way.endswith("int8")
    small = 1e-4 if row.way.endswith("fp32") else None
    return [
        Figure(f"{row.way}: decisions kept", kept, KEPT.get(row.way) if is_enough else None, "", note=f"of {row.pairs}"),
        Figure(f"{row.way}: rank correlation", row.spearman or 0.0, 0.985 if is_enough else None, ""),
        Figure(f"{row.way}: largest difference", row.largest or 0.0, small, "", at_most=True),
        Figure(f"{row.way}: size", row.bytes / base.bytes, 0.27 if is_whole else None, "of fp32", at_most=True),
        Figure(
            f"{row.way}: accuracy",
            100 * parity["accuracy_after"],
            None,
            "%",
            note=f"{100 * parity['accuracy_before']:.1f} before",
        ),
        Figure(
            f"{row.way}: accuracy after less before, upper end of the interval",
            100 * gain_at_most(parity["accuracy_before"], parity["accuracy_after"], row.changed or 0.0, row.pairs),
            0.0 if is_enough else None,
            "points",
        ),
    ]


def gain_at_most(before: float, after: float, changed: float, pairs: int) -> float:
    """Return the upper end of the paired 95 % interval of an accuracy's change, a share.

    Every pair has a preference, so a changed decision is right before or after, never both: of N pairs the outcomes differ by 1 or -1 on
    the changed share c, their mean is d, and their variance is c - d^2.
    """
    gain = after - before
    return gain + 1.96 * math.sqrt(max(0.0, changed - gain**2) / pairs)


if __name__ == "__main__":
    raise SystemExit(main())
