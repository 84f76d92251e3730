"""One training run: what it needs, what names it, and the folder where it can be continued from."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from goldsmith.config.reward import RewardConfig
from goldsmith.config.train import TrainConfig
from goldsmith.errors import UserError
from goldsmith.identity import digest
from goldsmith.reward.checkpoint import checkpoint_digest, locate
from goldsmith.reward.features import FeatureStore
from goldsmith.reward.head import Head
from goldsmith.store.atomic import write_json
from goldsmith.store.lock import exclusive
from goldsmith.train.checkpoints import Resume, list_checkpoints
from goldsmith.train.material import Material
from goldsmith.train.processes import Processes, num_processes

if TYPE_CHECKING:
    from goldsmith.reward.ensemble import HeadEnsemble

Progress = Callable[[int, int, str, str], None]
"""Called with (steps done, steps in all, what they are, the last loss in words)."""

FREE = ("checkpoint_steps", "keep_checkpoints", "track", "sharding")
"""Settings that do not decide the result (of `sharding`: but for rounding), so an unfinished training may go on under others."""

FACTS, LOCK = "run.json", "lock"
_DIGESTS = {
    "base_digest": "files of the base model",
    "data_digest": "pairs, labels, weights or validation pairs",
    "init_head": "head to begin with",
    "fingerprint": "state of the workspace",
}
"""What facts that are digests stand for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a training method needs.

    Attributes:
        material: what is trained on.
        config: method and schedule.
        features: the open base model with its cache.
        head: to begin with, on the readout `last`.
        seed: of the order and of adapters.
        work: folder of checkpoints.
        out: the model's folder to be.
        resume: which checkpoint to go on from.
        progress: told of every step.
        processes: this one among those that train together.
    """

    material: Material
    config: TrainConfig
    features: FeatureStore
    head: Head
    seed: int
    work: Path
    out: Path
    resume: Resume = "last"
    progress: Progress | None = None
    processes: Processes = field(default_factory=Processes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What a method gives back.

    Attributes:
        classifier: in float32, without adapters.
        metrics: JSON values.
        rows: the loss series; of the method `head` its cross-validation.
        identical: names of pairs and lists whose replies became the same tokens when they were cut, and taught nothing.
        ensemble: heads fitted to resampled contexts.
    """

    classifier: Any
    metrics: dict[str, Any]
    rows: list[dict[str, Any]]
    identical: list[str]
    ensemble: HeadEnsemble | None = None


def check_settings(config: TrainConfig, num_lists: int, num_validation: int) -> None:
    """Refuse settings that would do nothing, or cannot be done, before anything is computed.

    Raises:
        UserError: naming the key and the remedy.
    """
    if config.method == "head":
        for key, is_set in (
            ("center_rewards", config.center_rewards > 0),
            ("margins", config.margins != "none"),
            ("ranked_lists", num_lists > 0),
        ):
            if is_set:
                raise UserError(
                    f"train.{key} works with train.method lora and full, not with head; leave it out, or change the method"
                )
    if not num_validation and (config.early_stopping_patience is not None or config.eval_steps is not None):
        raise UserError(
            "train.early_stopping_patience and train.eval_steps need validation pairs that are no ties; give them with --validation FILE"
        )
    processes = num_processes()
    if config.method == "head" and processes > 1:
        raise UserError(f"train.method = head has nothing to share among {processes} processes; start it without torchrun")
    if config.sharding != "none" and processes < 2:
        raise UserError(
            f"train.sharding = {config.sharding} needs several processes; start them with torchrun --nproc-per-node=N, or set it to none"
        )
    if config.sharding == "none" and processes > 1:
        raise UserError(
            f"{processes} processes would each train the whole model; set train.sharding to zero1 or fsdp2, or start one"
        )


def run_facts(
    material: Material,
    base: str | Path,
    config: TrainConfig,
    reward_config: RewardConfig,
    seed: int,
    init_head: Head | None,
    l2s: Sequence[float],
    fingerprint: str,
) -> dict[str, Any]:
    """Return what decides the result, with its digest as `run`; the same run is continued, another is refused."""
    facts = {
        "base": str(base),
        "base_digest": checkpoint_digest(locate(base)),
        "method": config.method,
        "seed": seed,
        "data_digest": material.digest,
        "train": config.model_dump(mode="json", exclude=set(FREE)),
        "reward": reward_config.model_dump(
            mode="json", include={"max_length", "truncation_side", "pad_token", "dtype", "token_budget"}
        ),
        "init_head": init_head.digest if init_head else None,
        "head": None if init_head else {"l2": list(l2s)},
        "fingerprint": fingerprint,
    }
    return {**facts, "run": digest(facts)}


def work_folder(out: Path) -> Path:
    """Return the folder beside a model's where its checkpoints stand until it is whole."""
    return out.with_name(f".{out.name}.work")


def claimed(out: Path) -> AbstractContextManager[None]:
    """Keep the folder of checkpoints to this process (see `exclusive`)."""
    return exclusive(work_folder(out) / LOCK, f"the training of {out}")


def open_work(out: Path, facts: dict[str, Any], resume: Resume) -> Path:
    """Return the folder of checkpoints; what another run left there is refused, with what differs.

    Without a checkpoint there is nothing to go on from, so other settings may begin: features are kept under names of their own.

    Raises:
        UserError: an unfinished run of other settings is there and `resume` is not `restart`.
    """
    work = work_folder(out)
    if resume == "restart":
        _empty(work)
    path = work / FACTS
    if path.is_file() and list_checkpoints(work):
        differing = differences(_read_facts(path), facts)
        if differing:
            raise UserError(
                f"{work} holds an unfinished training that differs in {'; '.join(differing)}: run it with the same settings to "
                "finish it, or begin anew with `--resume restart`"
            )
    else:
        write_json(path, facts)
    return work


def differences(before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Return what a run's facts have otherwise than an earlier run's, for a message: `train.learning_rate (0.1, now 0.2)`."""
    found: list[str] = []
    for key in sorted(now):
        old, new = before.get(key), now[key]
        if key == "run" or old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            found += differences(old, {**dict.fromkeys(old), **new}, f"{prefix}{key}.")
        else:
            found.append(f"{key} ({_DIGESTS[key]})" if key in _DIGESTS else f"{prefix}{key} ({old!r}, now {new!r})")
    return found


def _read_facts(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise UserError(f"{path}: cannot be read ({error}); begin anew with `--resume restart`") from None


def _empty(work: Path) -> None:
    for path in work.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != LOCK:
            path.unlink()
