"""Peak memory of full fine-tuning steps of SmolLM2-135M on the CPU, beside what `goldsmith train --dry-run` says.

Each case is a process of its own: it trains on pairs of one known shape, forgets its peak after the first step (Adam's averages exist
then), and reports the peak of the steps after it, less what the process held before the model was loaded. Linux only.

    python benchmarks/train_memory.py --check     two cases, about a minute each on one core
    python benchmarks/train_memory.py --full      four cases
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

TOLERANCE = 0.15
"""How far the measured peak may be from the formula, of the formula."""
CASES = {
    "check": [(300, 150, False), (300, 150, True)],
    "full": [(300, 150, False), (300, 150, True), (800, 100, False), (800, 100, True)],
}
"""Tokens of the context, of each reply, gradient checkpointing."""
STEPS = 3
GIB = float(1 << 30)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case:
        print(json.dumps(measure(*json.loads(arguments.case))))
        return 0
    print("| context | replies | checkpointing | formula, GiB | measured, GiB | ratio |\n|---|---|---|---|---|---|")
    worst = 0.0
    for case in CASES["full" if arguments.full else "check"]:
        command = [sys.executable, __file__, "--case", json.dumps(case)]
        result = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])
        ratio = result["measured"] / result["formula"]
        worst = max(worst, abs(ratio - 1))
        context, reply, again = case
        shown = f"{result['formula'] / GIB:.2f} | {result['measured'] / GIB:.2f} | {ratio:.2f}"
        print(f"| {context} | 2 x {reply} | {'on' if again else 'off'} | {shown} |", flush=True)
    print(f"largest difference {worst:.0%}, allowed {TOLERANCE:.0%}")
    return int(worst > TOLERANCE)


def measure(context: int, reply: int, checkpointing: bool) -> dict[str, Any]:
    """Train for a few steps on pairs of one shape; return the peak in bytes beside the formula's."""
    import torch
    from transformers import Trainer  # noqa: F401  (imported here, so that it counts as held before)

    from goldsmith.config import load_config
    from goldsmith.models import checkpoint_path
    from goldsmith.reward.checkpoint import load_tokenizer
    from goldsmith.train import train_reward_model

    torch.set_num_threads(1)
    settings = {"train.method": "full", "train.batch_size": 1, "train.epochs": STEPS, "train.learning_rate": 1e-6}
    settings |= {"train.precision": "float32", "train.gradient_checkpointing": checkpointing, "reward.dtype": "float32"}
    config = load_config(overrides=[f"{key}={str(value).lower()}" for key, value in settings.items()])
    pair = make_pair(load_tokenizer(checkpoint_path()), context, reply)
    before, peaks = _memory("VmRSS"), []

    def step_done(*_: object) -> None:
        peaks.append(_memory("VmHWM"))
        Path("/proc/self/clear_refs").write_text("5")

    with tempfile.TemporaryDirectory() as folder:
        train_reward_model(
            [pair],
            "embedded",
            Path(folder) / "model",
            config.train,
            config.reward,
            seed=0,
            init_head=_small_head(),
            progress=step_done,
        )
    return {"measured": max(peaks[1:STEPS]) - before, "formula": formula(config, context, reply)}


def formula(config: Any, context: int, reply: int) -> int:
    """Return what the dry run says of one pass of one pair, in bytes, without what does not arise here."""
    from goldsmith.train.estimate.memory import pass_of, peak_memory
    from goldsmith.train.estimate.parameters import count_parameters
    from goldsmith.train.estimate.shapes import SHAPES
    from goldsmith.train.estimate.workload import PairLength

    shape = SHAPES["embedded"]
    work = pass_of([PairLength(context=context, chosen=reply, rejected=reply)], share=True)
    counts, again = count_parameters(shape, config.train), config.train.gradient_checkpointing
    parts = peak_memory(shape, counts, config.train, "float32", "none", 1, [work], checkpointing=again, device="cpu")
    # There is no GPU, so no driver either.
    return sum(parts.values()) - parts["runtime"]


def make_pair(tokenizer: Any, context: int, reply: int) -> Any:
    """Return a pair whose context and replies have about so many tokens, the template's included."""
    from goldsmith.types import Pair

    def text(tokens: int, start: int) -> str:
        words = " ".join(str(number) for number in range(start, start + tokens))
        ids = tokenizer(words, add_special_tokens=False)["input_ids"]
        return str(tokenizer.decode(ids[: max(1, tokens - 8)]))

    return Pair.from_replies([{"role": "user", "content": text(context - 24, 1)}], text(reply, 500), text(reply, 900))


def _small_head() -> Any:
    import numpy as np

    from goldsmith.reward.head import Head

    return Head(weight=np.full(576, 1e-3), l2=1.0, temperature=1.0, num_pairs=1)


def _memory(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise SystemExit(f"{name}: not in /proc/self/status; this benchmark needs Linux")


if __name__ == "__main__":
    sys.exit(main())
