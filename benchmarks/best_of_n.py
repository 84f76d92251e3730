"""Best of 16 with SmolLM2-135M, contexts of about 800 tokens and replies of about 100: against the padded loop of the model cards, batch 8.

    python benchmarks/best_of_n.py --check    3 prompts after one of warm-up, under five minutes
    python benchmarks/best_of_n.py --full     20 prompts after 3; resumable (--work)

Contexts are several turns of real pairs joined, replies pieces of real replies. Needs GOLDSMITH_DATA.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from goldsmith.reward import Reply
from goldsmith.reward.checkpoint import choose_dtype
from goldsmith.reward.grouping import group_replies
from speed.data import long_contexts, renderer_of
from speed.race import race, reward_model
from speed.table import load, save, show

ROOT = Path(__file__).resolve().parents[1]
REPLIES, CONTEXT, REPLY, MAX_LENGTH = 16, 800, 100, 2048
GOAL = 5.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="a fixed sample (the default)")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--work", type=Path, default=ROOT / ".work" / "best_of_n")
    parser.add_argument("--dtype", choices=["auto", "float32", "bfloat16"], default="auto")
    arguments = parser.parse_args()
    import torch

    dtype = str(choose_dtype(arguments.dtype, torch.device("cpu"))).removeprefix("torch.")
    steps, warmup = (20, 3) if arguments.full else (3, 1)
    print(f"SmolLM2-135M, {dtype}, {torch.get_num_threads()} threads, best of {REPLIES}, {steps} prompts after {warmup}")
    path = arguments.work / f"best-of-{REPLIES}-{dtype}-{steps}.json"
    figures = load(path) if arguments.full else None
    if figures is None:
        renderer = renderer_of("embedded", MAX_LENGTH)
        prompts = long_contexts(renderer, steps + warmup, CONTEXT, REPLY, REPLIES)
        cut = [[(context, reply) for reply in replies] for context, replies in prompts]
        groups = []
        for step in cut:
            replies = [Reply(context, reply) for context, reply in step]
            groups.append(
                group_replies(
                    [renderer.render(reply.context, reply.content, where="") for reply in replies], replies, share=True
                )[0]
            )
        model = reward_model(arguments.work, renderer.pad_id)
        figures = race(
            f"best of {REPLIES}", cut, groups, model=model, max_length=MAX_LENGTH, dtype=dtype, warmup=warmup, goal=GOAL
        )
        save(path, figures)
    return show(figures)


if __name__ == "__main__":
    raise SystemExit(main())
