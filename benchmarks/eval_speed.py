"""Evaluating a reward model: `goldsmith eval` against padded batches of 8 over the pairs as listed; and PPE's size through the random engine.

    python benchmarks/eval_speed.py --check    about 30,000 tokens of the evaluation sets, and PPE's size; under five minutes on a quiet machine
    python benchmarks/eval_speed.py --full     300,000 tokens; then every set that is there, once, the smallest first: hours
    python benchmarks/eval_speed.py --benchmark llmbar --benchmark judgebench    of the sets, only these, and nothing else

The sample is drawn by prompt: all items of a prompt, from every benchmark. The padded loop scores both replies of each pair in the order
of the files (RM-Bench as three pairs, lists as best and each loser), as the benchmarks' own scripts do; Goldsmith scores each
distinct text once. Steps alternate. Sets are scored chunk by chunk into --work: a killed command, run again, goes on, and the table at
its end says what each set took over all calls, and what is missing. Needs GOLDSMITH_DATA and the embedded model; PPE's files are made up, in the official layout.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from goldsmith.benchdata.item import Item
from goldsmith.benchdata.suite import find_suite
from goldsmith.errors import UserError
from goldsmith.identity import unit_interval
from goldsmith.reward.checkpoint import choose_dtype
from goldsmith.reward.model import RewardModel
from speed import scorers
from speed.contender import Contender
from speed.data import data_folder, renderer_of
from speed.race import reward_model
from speed.sets import run_sets, table_of_sets
from speed.table import Figure, load, save, show

ROOT = Path(__file__).resolve().parents[1]
MAX_LENGTH, SEED, STEPS = 2048, 0, 6
CHECK_TOKENS, FULL_TOKENS = 30_000, 300_000
GOAL, MEMORY_GIB, CACHED_S, PPE_S, PPE_GIB = 3.0, 6.0, 10.0, 60.0, 2.0
PPE_ROWS, PPE_SETS = 16_038, {"MMLU-Pro": 512, "MATH": 512, "GPQA": 512, "IFEval": 512, "MBPP-Plus": 507}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="a fixed sample (the default)")
    parser.add_argument("--full", action="store_true", help="a larger sample, then every set")
    parser.add_argument("--tokens", type=int, help="size of the sample, in tokens of the pairs as listed")
    parser.add_argument("--only", choices=["speed", "ppe", "sets"], help="one part; sets: every set that is there")
    parser.add_argument(
        "--benchmark", action="append", default=[], dest="benchmarks", metavar="NAME", help="this set alone; may be given again"
    )
    parser.add_argument("--work", type=Path, default=ROOT / ".work" / "eval_speed")
    arguments = parser.parse_args()
    if arguments.benchmarks or arguments.only == "sets":
        return every_set(arguments.work, arguments.benchmarks)
    figures: list[Figure] = []
    if arguments.only != "ppe":
        tokens = arguments.tokens or (FULL_TOKENS if arguments.full else CHECK_TOKENS)
        figures += race(arguments.work, tokens, resumable=arguments.full)
    if arguments.only != "speed":
        figures += ppe()
    code = show(figures)
    return (every_set(arguments.work, []) if arguments.full and arguments.only is None else 0) or code


def race(work: Path, most_tokens: int, *, resumable: bool) -> list[Figure]:
    """Alternate steps of `goldsmith eval`'s path and of the padded loop over the same items."""
    import torch

    path = work / f"race-{most_tokens}.json"
    if resumable and (found := load(path)) is not None:
        return found
    dtype = str(choose_dtype("auto", torch.device("cpu"))).removeprefix("torch.")
    renderer = renderer_of("embedded", MAX_LENGTH)
    items, tokens = sample(renderer, most_tokens)
    model = reward_model(work, renderer.pad_id)
    steps = in_steps(items)
    print(
        f"SmolLM2-135M, {dtype}, {torch.get_num_threads()} threads: {len(items)} items, {tokens:,} tokens as listed, {len(steps)} steps"
    )
    ours = Contender("goldsmith", scorers.evaluation, model, steps, MAX_LENGTH, dtype)
    listed = [[text for item in step for text in as_listed(item)] for step in steps]
    theirs = Contender("padded loop", scorers.padded, model, listed, MAX_LENGTH, dtype)
    for number in range(len(steps)):
        told = ", ".join(f"{contender.name} {contender.step():.1f} s" for contender in (ours, theirs))
        print(f"  step {number + 1}/{len(steps)}: {told}", flush=True)
    for contender in (ours, theirs):
        contender.close(wait=10.0)
    ratio = sum(theirs.seconds[1:]) / sum(ours.seconds[1:])
    apart = max(
        abs(mine[key] - score) / max(1.0, abs(score))
        for mine, texts, scores in zip(ours.results, listed, theirs.results, strict=True)
        for (context, reply), score in zip(texts, scores, strict=True)
        for key in [scorers.key_of(context, reply)]
    )
    figures = [
        Figure(
            "evaluation: against padded loop",
            ratio,
            GOAL,
            "times",
            note=f"{tokens:,} tokens as listed; the first step is warm-up",
        ),
        Figure("evaluation: memory", ours.peak, MEMORY_GIB, "GiB", at_most=True),
        Figure(
            "evaluation: scores apart",
            apart,
            1e-4 if dtype == "float32" else None,
            "",
            at_most=True,
            note="times max(1, |score|)",
        ),
        from_cache(work, model, items),
    ]
    save(path, figures)
    return figures


def sample(renderer: Any, most_tokens: int) -> tuple[list[Item], int]:
    """All items of prompts drawn by hash, up to about so many tokens of the pairs as listed."""
    by_prompt: dict[str, list[Item]] = {}
    for data in find_suite(data_folder()).data:
        for item in data.items():
            if all(reply.strip() for reply in item.replies):
                by_prompt.setdefault(item.context_id, []).append(item)
    chosen: list[Item] = []
    total = 0
    for name in sorted(by_prompt, key=lambda name: unit_interval(name, SEED)):
        texts = [text for item in by_prompt[name] for text in as_listed(item)]
        cost = sum(len(renderer.render(context, reply, where="").ids) for context, reply in texts)
        if total + cost > most_tokens:
            continue
        chosen, total = chosen + by_prompt[name], total + cost
        if total > 0.98 * most_tokens:
            break
    return chosen, total


def as_listed(item: Item) -> list[tuple[list[dict[str, Any]], str]]:
    """The texts that a benchmark's own script scores for an item, pair by pair."""
    places = [(place, 3 + place) for place in range(3)] if item.benchmark == "rm-bench" else item.comparisons or [(0, 1)]
    return [(item.context, item.replies[place]) for pair in places for place in pair]


def in_steps(items: Sequence[Item]) -> list[list[Item]]:
    size = -(-len(items) // STEPS)
    return [list(items[start : start + size]) for start in range(0, len(items), size)]


def from_cache(work: Path, model: Path, items: Sequence[Item]) -> Figure:
    """The seconds of a second `goldsmith eval` over the sample as a file, all scores known: the whole command, model included."""
    file, out = work / "sample.jsonl", work / "sample"
    rows = [
        {"prompt": item.context, "chosen": item.replies[better], "rejected": item.replies[worse]}
        for item in items
        for better, worse in item.comparisons[:1]
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    command = [sys.executable, "-m", "goldsmith", "eval", "--no-report", f"embedded={model}", "--benchmark", f"sample={file}", "--out", str(out), "--max-length", str(MAX_LENGTH), "--json"]  # fmt: skip
    run(command)
    seconds, _, processor = run(command)
    return Figure(
        "evaluation: a second run, from cache", seconds, CACHED_S, "s", at_most=True, note=f"{processor:.1f} s of processor"
    )


def every_set(work: Path, names: Sequence[str]) -> int:
    """Score the sets that are there with the embedded model, on from where an earlier call stopped; print what is known then."""
    model = reward_model(work, renderer_of("embedded", MAX_LENGTH).pad_id)
    code = 0
    try:
        run_sets(work / "sets", RewardModel.load(model, max_length=MAX_LENGTH), "embedded, random head", data_folder(), names)
    except UserError as error:
        raise SystemExit(f"FAILED: {error}") from None
    except KeyboardInterrupt:
        print("interrupted: the same command goes on")
        code = 130
    print(table_of_sets(work / "sets", data_folder()))
    return code


def ppe() -> list[Figure]:
    """PPE's two benchmarks at their real size through the random engine, and what a random scorer must get."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_ppe(folder / "suite")
        command = [
            sys.executable,
            "-m",
            "goldsmith",
            "eval",
            "--no-report",
            "random",
            "--suite",
            str(folder / "suite"),
            "--out",
            str(folder / "out"),
            "--json",
        ]
        seconds, peak, processor = run(command)
        result = json.loads((folder / "out" / "models" / "random" / "result.json").read_text(encoding="utf-8"))
    figures = [
        Figure(
            "PPE's size, random engine",
            seconds,
            PPE_S,
            "s",
            at_most=True,
            note=f"16,038 pairs and 2,555 lists of 32, the whole command; {processor:.1f} s of processor",
        ),
        Figure("PPE's size, memory", peak, PPE_GIB, "GiB", at_most=True),
    ]
    for benchmark in result["benchmarks"]:
        low, value, high = (benchmark["official"][end] for end in ("low", "value", "high"))
        inside = 1.0 if low <= benchmark["chance"] <= high else 0.0
        figures.append(
            Figure(f"{benchmark['title']}: chance in its interval", inside, 1.0, "", note=f"{low:.4f} to {high:.4f}, {value:.4f}")
        )
    return figures


def write_ppe(folder: Path) -> None:
    """Write made-up files of the official shape: one of pairs, five of lists of 32."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    generator = random.Random(SEED)
    words = [f"{generator.randrange(36**4):x}" for _ in range(5000)]

    def text(low: int, high: int) -> str:
        return " ".join(generator.choices(words, k=generator.randrange(low, high)))

    def pairs() -> Iterator[dict[str, Any]]:
        for number in range(PPE_ROWS):
            one, other = generator.sample(range(20), 2)
            winner = generator.choices(["model_a", "model_b", "tie", "tie (bothbad)"], [32, 32, 18, 18])[0]
            yield {
                "question_id": f"q{number}", "model_a": f"model-{one}", "model_b": f"model-{other}", "winner": winner, "prompt": text(10, 120),
                "response_1": text(30, 500), "response_2": text(30, 500), "language": generator.choice(["English", "German", "Chinese"]),
                "is_code": generator.random() < 0.2, "hard_prompt": generator.random() < 0.3,
            }  # fmt: skip

    def lists(rows: int) -> Iterator[dict[str, Any]]:
        for number in range(rows):
            truth = [generator.random() < 0.5 for _ in range(32)]
            truth[:2] = [True, False]
            good = [place for place in range(32) if truth[place]]
            bad = [place for place in range(32) if not truth[place]]
            yield {
                "question_id": number // 4, "prompt": text(40, 200), "model_name": f"model-{number % 4}",
                **{f"response_{place + 1}": text(50, 400) for place in range(32)},
                "scores": truth, "mean_score": sum(truth) / 32,
                "sampled_conflict_pairs": [[generator.choice(good), generator.choice(bad)] for _ in range(5)],
            }  # fmt: skip

    def write(name: str, rows: Iterator[dict[str, Any]]) -> None:
        path = folder / name / "data" / "rows-00000-of-00001.parquet"
        path.parent.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(list(rows)), path)

    write("PPE-Human-Preference-V1", pairs())
    for name, rows in PPE_SETS.items():
        write(f"PPE-{name}-Best-of-K", lists(rows))


def run(command: list[str]) -> tuple[float, float, float]:
    """Run a command; return its seconds, the most memory it held in GiB, and its processor seconds."""
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if code not in (0, 3):
        raise SystemExit(f"FAILED: {' '.join(command[2:5])} ended with {code}")
    return time.perf_counter() - begun, usage.ru_maxrss / (1 << 20), usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    raise SystemExit(main())
