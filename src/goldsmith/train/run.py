"""From labelled pairs to a reward model in a folder: one call, resumable, the folder appears whole or not at all."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goldsmith.config.reward import HeadConfig, RewardConfig
from goldsmith.config.train import TrainConfig
from goldsmith.config.workspace import GoldsmithConfig
from goldsmith.errors import UserError
from goldsmith.identity import combined_digest, digest
from goldsmith.reward.checkpoint import checkpoint_digest, locate
from goldsmith.reward.features import FeatureStore
from goldsmith.reward.grouping import Reply
from goldsmith.reward.head import Head, fit_head
from goldsmith.reward.model import CARD, RewardModel, read_card
from goldsmith.store.atomic import write_json
from goldsmith.train.batches import select_pairs
from goldsmith.types import Pair

Progress = Callable[[int, int], None]
"""Called with (steps done, steps in all)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainResult:
    """A trained model's folder, and what is known about it.

    Attributes:
        path: the folder.
        metrics: JSON values: pairs, ties, steps, last loss, training accuracy, validation accuracy where asked for.
    """

    path: Path
    metrics: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a training method needs."""

    pairs: list[Pair]
    weights: Mapping[str, float]
    config: TrainConfig
    features: FeatureStore
    head: Head
    seed: int
    work: Path
    progress: Progress | None


def train_reward_model(
    pairs: Sequence[Pair],
    base: str | Path,
    out: Path,
    config: TrainConfig,
    reward_config: RewardConfig,
    *,
    seed: int,
    validation: Sequence[Pair] | None = None,
    init_head: Head | None = None,
    weights: Mapping[str, float] | None = None,
    head_config: HeadConfig | None = None,
    features: FeatureStore | None = None,
    fingerprint: str = "",
    progress: Progress | None = None,
) -> TrainResult:
    """Train a reward model on pairs and write it to `out`.

    A call that was killed continues from its last checkpoint when it is made again; a finished one returns at once.

    Args:
        pairs: labelled pairs; ties are counted and left out.
        base: `embedded`, a folder or a hub id.
        out: the model's folder; beside it stands `.<name>.work` with checkpoints until the end.
        config: method and schedule.
        reward_config: rendering, arithmetic and feature cache; its `base` is not read.
        seed: of the draw, the order, adapters and folds.
        validation: pairs to measure accuracy on at the end.
        init_head: head on the readout `last` to begin with; none: fitted here.
        weights: weight by pair id, 1 where absent.
        head_config: penalties of a head fitted here.
        features: an open store of the same base and configuration, to save loading it again.
        fingerprint: whatever else decides the result, for the caller's sake.
        progress: called with (steps done, steps in all).

    Raises:
        UserError: no pairs with a label, a model that cannot be trained, a loss that is not finite, another run in `out`.
    """
    reward_config = reward_config.model_copy(update={"base": str(base)})
    chosen = select_pairs(pairs, config.max_pairs, seed)
    ties = sum(pair.label == "tie" for pair in pairs)
    if not chosen:
        raise UserError(f"nothing to train on: {len(pairs)} pairs, {ties} of them ties; give pairs with a preferred reply")
    facts = _facts(chosen, base, config, reward_config, seed, init_head, weights, fingerprint)
    if (out / CARD).is_file() and read_card(out).get("run") == facts["run"]:
        return TrainResult(path=out, metrics=read_card(out)["metrics"])
    if out.exists() and any(out.iterdir()):
        raise UserError(
            f"{out} holds something else already (another model, other data or settings); name another --out, or delete it"
        )
    work = _open_work(out, facts)
    store = features or FeatureStore(reward_config, reward_config.feature_cache or work / "features")
    head = init_head or _fit(chosen, store, (head_config or HeadConfig()).l2, seed, weights or {})
    job = Job(
        pairs=chosen, weights=weights or {}, config=config, features=store, head=head, seed=seed, work=work, progress=progress
    )
    classifier, metrics = _train(job)
    metrics = {"num_pairs": len(chosen), "ties": ties, "left_out": len(pairs) - ties - len(chosen), **metrics}
    metrics |= _validate(classifier, store, validation)
    _save(classifier, store, out, facts, metrics, chosen)
    shutil.rmtree(work, ignore_errors=True)
    return TrainResult(path=out, metrics=metrics)


def train_file(
    path: str | Path, base: str | Path, out: Path, config: GoldsmithConfig, *, progress: Progress | None = None
) -> TrainResult:
    """Train on a file of pairs in any format that `pool add` reads; rows that are no pairs are counted by reason in the metrics.

    Raises:
        UserError: as `train_reward_model`, or the file cannot be read.
    """
    from goldsmith.pool.sources import Rejected, read_pairs

    pairs: list[Pair] = []
    rejected: Counter[str] = Counter()
    for row in read_pairs(path, max_line_mb=config.pool.max_line_mb):
        if isinstance(row, Rejected):
            rejected[row.reason] += 1
        else:
            pairs.append(row)
    result = train_reward_model(
        pairs, base, out, config.train, config.reward, seed=config.seed, head_config=config.head, progress=progress
    )
    return TrainResult(path=result.path, metrics={**result.metrics, "rejected_rows": dict(rejected)})


def _train(job: Job) -> tuple[Any, dict[str, Any]]:
    from goldsmith.train.export import new_classifier

    if job.config.method != "head":
        from goldsmith.train.fine_tune import fine_tune

        return fine_tune(job)
    if job.progress:
        job.progress(1, 1)
    return new_classifier(job.features.backbone.folder, job.features.renderer.pad_id, job.head.weight), {
        "steps": 0,
        "cv_accuracy": job.head.accuracy,
        "l2": job.head.l2,
    }


def _fit(pairs: Sequence[Pair], store: FeatureStore, l2s: Sequence[float], seed: int, weights: Mapping[str, float]) -> Head:
    replies = [Reply(pair.messages, content, pair.pair_id) for pair in pairs for content in (pair.chosen, pair.rejected)]
    vectors = store.features(replies, readout="last")
    return fit_head(
        vectors[::2],
        vectors[1::2],
        [pair.context_id for pair in pairs],
        l2s,
        seed,
        [weights.get(pair.pair_id, 1.0) for pair in pairs],
    )


def _validate(classifier: Any, store: FeatureStore, validation: Sequence[Pair] | None) -> dict[str, Any]:
    decided = [pair for pair in validation or () if pair.label != "tie"]
    if not decided:
        return {}
    model = RewardModel(classifier.eval(), store.renderer, "in memory", token_budget=store.config.token_budget)
    scores = model.score_pairs(decided)
    wins = sum(
        (first > second) if pair.label == "first" else (second > first)
        for pair, (first, second) in zip(decided, scores, strict=True)
    )
    return {"validation_accuracy": wins / len(decided), "validation_pairs": len(decided)}


def _save(
    classifier: Any, store: FeatureStore, out: Path, facts: dict[str, Any], metrics: dict[str, Any], pairs: Sequence[Pair]
) -> None:
    from goldsmith.train.export import ROUND_TRIP_TEXTS, save_reward_model

    probes = [Reply(pair.messages, pair.chosen, pair.pair_id) for pair in pairs[:ROUND_TRIP_TEXTS]]
    if out.exists():
        out.rmdir()
    save_reward_model(classifier, store.renderer, out, {**facts, "num_pairs": len(pairs), "metrics": metrics}, probes)


def _facts(
    pairs: Sequence[Pair],
    base: str | Path,
    config: TrainConfig,
    reward_config: RewardConfig,
    seed: int,
    init_head: Head | None,
    weights: Mapping[str, float] | None,
    fingerprint: str,
) -> dict[str, Any]:
    """Return what decides the result, with its digest as `run`; the same run is continued, another is refused."""
    rows = sorted(f"{pair.pair_id} {pair.label} {(weights or {}).get(pair.pair_id, 1.0)}" for pair in pairs)
    facts = {
        "base": str(base),
        "base_digest": checkpoint_digest(locate(base)),
        "method": config.method,
        "seed": seed,
        "data_digest": combined_digest(rows),
        "train": config.model_dump(mode="json", exclude={"checkpoint_steps"}),
        "reward": reward_config.model_dump(mode="json", include={"max_length", "truncation_side", "dtype", "token_budget"}),
        "init_head": init_head.digest if init_head else None,
        "fingerprint": fingerprint,
    }
    return {**facts, "run": digest(facts)}


def _open_work(out: Path, facts: dict[str, Any]) -> Path:
    """Return the folder of checkpoints; what another run left there is refused, with the keys that differ."""
    work = out.with_name(f".{out.name}.work")
    path = work / "run.json"
    if path.is_file():
        before = json.loads(path.read_text(encoding="utf-8"))
        differing = sorted(key for key in facts if key != "run" and before.get(key) != facts[key])
        if differing:
            raise UserError(
                f"{work} holds an unfinished training that differs in {', '.join(differing)}; run it with the same settings to "
                "finish it, or delete that folder to begin anew"
            )
    else:
        work.mkdir(parents=True, exist_ok=True)
        write_json(path, facts)
    return work
