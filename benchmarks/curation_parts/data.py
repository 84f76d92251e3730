"""The pairs of the experiment: read from what `curation_features.py` wrote, or made up with a known answer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from curation_parts.wall import Replies

SURE_GAP = 3.0
"""GPT-4's label is taken for the truth of a test pair above this gap."""
TEST_PROMPTS, TEST_MODELS = 0.3, 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """All pairs: replies, whether `first` is better, by what gap, and which models wrote them [N, 2]."""

    replies: Replies
    truth: Any
    gap: Any
    models: Any


def read(folder: Path, readout: str) -> Data:
    """Return the pairs of a features folder (see `curation_features.py`).

    Raises:
        SystemExit: there is none, or it is not finished.
    """
    if not (folder / "done.json").is_file():
        raise SystemExit(
            f"FAILED: {folder} holds no finished features; `python benchmarks/curation_features.py --out {folder}` makes them, and goes on where it stopped"
        )
    rows = [json.loads(line) for line in (folder / "pairs.jsonl").read_text(encoding="utf-8").splitlines()]
    parts = [np.load(path, allow_pickle=False) for path in sorted(folder.glob("features-*.npz"))]
    first, second = (
        np.concatenate([part[f"{readout}_{side}"] for part in parts]).astype(np.float32) for side in ("first", "second")
    )
    embedding = np.concatenate([part["embedding"] for part in parts]).astype(np.float32)
    replies = Replies(
        first=first, second=second, embedding=embedding, prompts=[row["prompt"] for row in rows],
        length=np.array([row["length"] for row in rows]), format=np.array([row["format"] for row in rows]),
    )  # fmt: skip
    return Data(
        replies=replies, truth=np.array([row["is_first"] for row in rows]), gap=np.array([row["gap"] for row in rows]),
        models=np.array([[row["first_model"], row["second_model"]] for row in rows]),
    )  # fmt: skip


def synthetic(num: int, seed: int, *, width: int = 24) -> Data:
    """Return made-up pairs in which quality and length are directions of the features, and the longer reply is better in about 7 of 10.

    Prompts have ten pairs each and models 56 names, so that both can be held out. A linear head can rank about nine pairs in ten.
    """
    rng = np.random.default_rng(seed)
    prompt = np.repeat(np.arange(-(-num // 10)), 10)[:num]
    models = rng.integers(0, 56, (num, 2))
    models[:, 1] = (models[:, 0] + rng.integers(1, 56, num)) % 56
    ability = np.linspace(-1.0, 1.0, 56)
    quality = ability[models] + rng.normal(size=(num, 2))
    length = 0.45 * quality + rng.normal(size=(num, 2)) * 0.7
    marks = 0.2 * quality + rng.normal(size=(num, 2))
    mixing = np.random.default_rng(99).normal(size=(width, width)) / np.sqrt(width)
    latent = np.concatenate(
        [quality[..., None], length[..., None], marks[..., None], rng.normal(size=(num, 2, width - 3))], axis=2
    )
    features = (latent @ mixing + 0.1 * rng.normal(size=(num, 2, width))).astype(np.float32)
    gap = 4.0 * (quality[:, 0] - quality[:, 1])
    vectors = rng.normal(size=(int(prompt.max()) + 1, 8))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    replies = Replies(
        first=features[:, 0], second=features[:, 1], embedding=vectors[prompt].astype(np.float32), prompts=[f"p{name}" for name in prompt],
        length=length[:, 0] - length[:, 1], format=marks[:, 0] - marks[:, 1],
    )  # fmt: skip
    return Data(replies=replies, truth=gap > 0, gap=np.abs(gap), models=models.astype(str))


def split(data: Data, size: int | None, seed: int) -> tuple[Any, dict[str, Any]]:
    """Return the pool's places and those of the tests: prompts held out, and prompts and models held out.

    The held-out prompts and models are the same for all seeds, so that outcomes can be paired; the seed draws the pool.
    """
    fixed = np.random.default_rng(0)
    prompts = np.array(data.replies.prompts, dtype=str)
    names, models = np.unique(prompts), np.unique(data.models)
    out_prompts = fixed.permutation(names)[: round(TEST_PROMPTS * len(names))]
    out_models = fixed.permutation(models)[:TEST_MODELS]
    is_out, has_out = np.isin(prompts, out_prompts), np.isin(data.models, out_models).any(axis=1)
    sure = np.asarray(data.gap) > SURE_GAP
    pool = np.random.default_rng((seed, 7)).permutation(np.flatnonzero(~is_out & ~has_out))
    tests = {
        "held-out prompts": np.flatnonzero(is_out & ~has_out & sure),
        "held-out prompts and models": np.flatnonzero(is_out & has_out & sure),
    }
    return np.sort(pool[:size]), tests
