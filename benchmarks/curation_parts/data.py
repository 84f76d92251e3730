"""The pairs of the experiment: read from what `curation_features.py` wrote, or made up with a known answer."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from curation_parts.sources import EXTERNAL, SURE_GAP, TEST_MODELS, TEST_PROMPTS
from curation_parts.wall import Replies
from goldsmith.reward.head import assign_folds

READOUT = ("15",)
PARTS = 5
"""Parts of the prompts, where no pair is marked as a test: the seed's number says which part is held out."""
MAIN_TEST, NEW_MODELS = "held-out prompts", "held-out prompts and models"


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """All pairs: replies, whether `first` is better, by what gap, which models wrote them [N, 2], and what each is for.

    Attributes:
        group: `pool`, `test`, an evaluation set's name, or `none`, [N].
        has_new_model: a held-out model wrote one of the replies, [N].
        extra: what else stands in the file, by pair.
    """

    replies: Replies
    truth: Any
    gap: Any
    models: Any
    group: Any
    has_new_model: Any
    extra: list[dict[str, Any]] = field(default_factory=list)


def read(folder: Path, readout: tuple[str, ...] = READOUT) -> Data:
    """Return the pairs of a features folder (see `curation_features.py`) whose replies have been computed.

    Of the pool that is a prefix of its order, so that a run that is not finished gives a smaller pool and not another one. Pairs of
    evaluation sets whose prompt is one of the pool's are left out.

    Raises:
        SystemExit: there is nothing yet.
    """
    if not (folder / "pairs.jsonl").is_file():
        raise SystemExit(
            f"FAILED: {folder} holds no features; `python benchmarks/curation_features.py --out {folder}` makes them"
        )
    names = json.loads((folder / "settings.json").read_text(encoding="utf-8"))["states"]
    states: dict[str, Any] = {}
    for path in sorted((folder / "cache").glob("*.npz")):
        with np.load(path, allow_pickle=False) as shard:
            columns = [names.index(name) for name in readout]
            vectors = shard["vectors"][:, columns].reshape(len(shard["names"]), -1)
            states.update(zip(shard["names"].tolist(), vectors, strict=True))
    rows = _there([json.loads(line) for line in (folder / "pairs.jsonl").read_text(encoding="utf-8").splitlines()], states)
    if not rows:
        raise SystemExit(
            f"FAILED: {folder} holds no whole pair yet; let `python benchmarks/curation_features.py --out {folder}` go on"
        )
    with np.load(folder / "prompts.npz", allow_pickle=False) as prompts:
        embedding = dict(zip(prompts["names"].tolist(), prompts["vectors"], strict=True))
    nowhere = np.zeros_like(next(iter(embedding.values())))
    replies = Replies(
        difference=np.stack([states[row["first"]] - states[row["second"]] for row in rows]),
        embedding=np.stack([embedding.get(row["prompt"], nowhere) for row in rows]).astype(np.float32), prompts=[row["prompt"] for row in rows],
        length=np.array([row["length"] for row in rows]), format=np.array([row["format"] for row in rows]),
    )  # fmt: skip
    return Data(
        replies=replies, truth=np.array([row["is_first"] for row in rows]), gap=np.array([row.get("gap", 99.0) for row in rows]),
        models=np.array([row.get("models", ["", ""]) for row in rows]), group=np.array([row["group"] for row in rows]),
        has_new_model=np.array([row.get("has_new_model", False) for row in rows]), extra=rows,
    )  # fmt: skip


def _there(rows: list[dict[str, Any]], states: dict[str, Any]) -> list[dict[str, Any]]:
    pool = [row for row in rows if row["group"] == "pool"]
    is_there = [row["first"] in states and row["second"] in states for row in pool]
    pool = pool[: is_there.index(False)] if False in is_there else pool
    closed = {row.get("words", row["prompt"]) for row in pool}
    others = [
        row
        for row in rows
        if row["group"] != "pool" and row["first"] in states and row["second"] in states
        and (row["group"] == "pandalm" or row.get("words", row["prompt"]) not in closed)
    ]  # fmt: skip
    return pool + others


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
    prompts = np.array([f"p{name}" for name in prompt])
    replies = Replies(
        difference=features[:, 0] - features[:, 1], embedding=vectors[prompt].astype(np.float32), prompts=prompts.tolist(),
        length=length[:, 0] - length[:, 1], format=marks[:, 0] - marks[:, 1],
    )  # fmt: skip
    fixed = np.random.default_rng(0)
    names = np.unique(prompts)
    is_out = np.isin(prompts, fixed.permutation(names)[: round(TEST_PROMPTS * len(names))])
    is_new = np.isin(models, fixed.permutation(56)[:TEST_MODELS]).any(axis=1)
    group = np.where(is_out & (np.abs(gap) > SURE_GAP), "test", np.where(~is_out & ~is_new, "pool", "none"))
    return Data(replies=replies, truth=gap > 0, gap=np.abs(gap), models=models.astype(str), group=group, has_new_model=is_new)


def split(data: Data, size: int | None, seed: int) -> tuple[Any, dict[str, Any]]:
    """Return the pool's places and those of the tests: held-out prompts, with held-out models too, and every evaluation set there is.

    The tests are the same for all seeds, so that outcomes can be paired; the seed draws the pool. Only where no pair is marked as a test
    is the test a fifth of the prompts, another one for each of five seeds.
    """
    is_pool, test = data.group == "pool", data.group == "test"
    if not test.any():
        fold = assign_folds(data.replies.prompts, PARTS, 0)
        held = is_pool & (fold == seed % PARTS)
        is_pool, test = is_pool & ~held, held & (data.gap > SURE_GAP)
    pool = np.random.default_rng((seed, 7)).permutation(np.flatnonzero(is_pool))
    tests = {MAIN_TEST: np.flatnonzero(test & ~data.has_new_model), NEW_MODELS: np.flatnonzero(test & data.has_new_model)}
    tests |= {name: np.flatnonzero(data.group == name) for name in EXTERNAL if name != "pandalm"}
    return np.sort(pool[:size]), {name: rows for name, rows in tests.items() if len(rows)}
