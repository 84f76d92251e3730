"""Scoring real pairs with SmolLM2-135M: `RewardModel` against the padded loop of the model cards, batch 8.

    python benchmarks/score_speed.py --check    3 steps of 12 pairs after one of warm-up, under five minutes
    python benchmarks/score_speed.py --full     20 steps of 32 pairs after 3 at 1,024 tokens on each kind of data; resumable (--work)

Both score the same replies in a process of its own; the steps alternate; a ratio is the median over steps. Needs GOLDSMITH_DATA.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from goldsmith.reward import Reply
from goldsmith.reward.checkpoint import choose_dtype
from goldsmith.reward.grouping import group_replies
from speed.data import real_pairs, renderer_of
from speed.race import race, reward_model
from speed.table import Figure, load, save, show

ROOT = Path(__file__).resolve().parents[1]
GOAL = 2.2


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="a fixed sample (the default)")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--work", type=Path, default=ROOT / ".work" / "score_speed")
    parser.add_argument("--dtype", choices=["auto", "float32", "bfloat16"], default="auto")
    arguments = parser.parse_args()
    import torch

    dtype = str(choose_dtype(arguments.dtype, torch.device("cpu"))).removeprefix("torch.")
    steps, warmup, size, max_length = (20, 3, 32, 1024) if arguments.full else (3, 1, 12, 1024)
    print(
        f"SmolLM2-135M, {dtype}, {torch.get_num_threads()} threads, at most {max_length} tokens, {steps} steps of {size} pairs after {warmup}"
    )
    figures: list[Figure] = []
    for kind in ("auto-j", "alpacaeval") if arguments.full else ("auto-j",):
        path = arguments.work / f"{kind}-{dtype}-{max_length}-{steps}.json"
        found = load(path) if arguments.full else None
        if found is None:
            found = measure(arguments.work, kind, steps + warmup, warmup, size, max_length, dtype)
            save(path, found)
        figures += found
    return show(figures)


def measure(folder: Path, kind: str, steps: int, warmup: int, size: int, max_length: int, dtype: str) -> list[Figure]:
    renderer = renderer_of("embedded", max_length)
    pairs = real_pairs(kind, steps * size)
    rows = [([dict(turn) for turn in pair.messages], str(content)) for pair in pairs for content in (pair.chosen, pair.rejected)]
    cut = [rows[begin : begin + 2 * size] for begin in range(0, len(rows), 2 * size)]
    groups = []
    for step in cut:
        replies = [Reply(context, reply) for context, reply in step]
        groups.append(
            group_replies([renderer.render(reply.context, reply.content, where="") for reply in replies], replies, share=True)[0]
        )
    model = reward_model(folder, renderer.pad_id)
    return race(kind, cut, groups, model=model, max_length=max_length, dtype=dtype, warmup=warmup, goal=GOAL)


if __name__ == "__main__":
    raise SystemExit(main())
