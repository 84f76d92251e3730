"""Scoring contenders raced over the same steps, and what came out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from goldsmith.reward.checkpoint import locate
from goldsmith.reward.packing import Group
from goldsmith.train.export import new_classifier
from speed import scorers
from speed.arithmetic import forward_flops, matmul_rate
from speed.contender import Contender
from speed.table import Figure

SEED = 7


def race(
    kind: str,
    steps: Sequence[Sequence[tuple[list[dict[str, Any]], str]]],
    groups: Sequence[Sequence[Group]],
    *,
    model: Path,
    max_length: int,
    dtype: str,
    warmup: int,
    goal: float,
) -> list[Figure]:
    """Alternate the steps of both scorers; return speeds, their ratio, arithmetic used and the largest difference of scores."""
    import torch
    from transformers import AutoConfig

    ours = Contender("goldsmith", scorers.goldsmith, model, steps, max_length, dtype)
    theirs = Contender("padded loop", scorers.padded, model, steps, max_length, dtype)
    config = AutoConfig.from_pretrained(model)
    rates = []
    for number in range(len(steps)):
        told = ", ".join(f"{contender.name} {contender.step():.1f} s" for contender in (ours, theirs))
        rates.append(matmul_rate(config, getattr(torch, dtype)))
        print(f"  {kind}: step {number + 1}/{len(steps)}: {told}, {rates[-1] / 1e9:.0f} GFLOP/s", flush=True)
    for contender in (ours, theirs):
        contender.close(wait=10.0)
    measured = slice(warmup, None)
    replies = sum(map(len, steps[measured]))
    ratio = median(b / a for a, b in zip(ours.seconds[measured], theirs.seconds[measured], strict=True))
    flops = [forward_flops(config, step) for step in groups[measured]]
    used = median(
        work / seconds / rate for work, seconds, rate in zip(flops, ours.seconds[measured], rates[measured], strict=True)
    )
    pairs = [pair for a, b in zip(ours.results, theirs.results, strict=True) for pair in zip(a, b, strict=True)]
    apart = max(abs(a - b) / max(1.0, abs(b)) for a, b in pairs)
    return [
        Figure(f"{kind}: Goldsmith", replies / sum(ours.seconds[measured]), None, "replies/s"),
        Figure(
            f"{kind}: against padded loop", ratio, goal, "times", note=f"{replies / sum(theirs.seconds[measured]):.3f} replies/s"
        ),
        Figure(f"{kind}: arithmetic used", 100 * used, 40.0, "%", note=f"of {median(rates) / 1e9:.0f} GFLOP/s"),
        Figure(
            f"{kind}: scores apart", apart, 1e-4 if dtype == "float32" else None, "", at_most=True, note="times max(1, |score|)"
        ),
    ]


def reward_model(folder: Path, pad_id: int) -> Path:
    """Write SmolLM2 with a random head whose scores spread over several units, and return its folder."""
    from transformers import AutoConfig, AutoTokenizer

    path = folder / "reward-model"
    if not (path / "config.json").is_file():
        base = locate("embedded")
        weight = np.random.default_rng(SEED).normal(0.0, 0.05, AutoConfig.from_pretrained(base).hidden_size)
        new_classifier(base, pad_id, weight).save_pretrained(path)
        AutoTokenizer.from_pretrained(base).save_pretrained(path)
    return path
