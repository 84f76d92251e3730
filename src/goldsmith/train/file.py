"""Training on a file of pairs or ranked replies, in any format that `pool add` reads."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from goldsmith.config.workspace import GoldsmithConfig
from goldsmith.errors import DataError
from goldsmith.pool.sources import Rejected, read_pairs
from goldsmith.pool.sources.lists import RankedList, read_lists
from goldsmith.train.checkpoints import Resume
from goldsmith.train.job import Progress
from goldsmith.train.material import p_first_of
from goldsmith.train.run import TrainResult, train_reward_model
from goldsmith.types import Pair

BELIEF, EVIDENCE, TRUSTED = ("p_chosen",), ("p_chosen_by_sources", "p_chosen"), ("p_chosen_by_trusted",)
"""Columns of soft labels: what is believed of a pair; what its sources say of it; what the most trusted of them says."""


def train_file(
    path: str | Path,
    base: str | Path,
    out: Path,
    config: GoldsmithConfig,
    *,
    validation: str | Path | None = None,
    resume: Resume = "last",
    progress: Progress | None = None,
) -> TrainResult:
    """Train on a file of pairs in any format that `pool add` reads; rows that are no pairs are counted by reason in the metrics.

    A file of ranked replies is read as lists where `train.ranked_lists` is `plackett-luce`. A column `p_chosen` holds soft labels; where people
    correct the head, `p_chosen_by_sources` and `p_chosen_by_trusted` do, if they are there.

    Args:
        path: the file.
        base: as for `train_reward_model`.
        out: likewise.
        config: its sections `train`, `reward`, `head` and the seed.
        validation: a file of pairs to measure on; its contexts are not trained on.
        resume: as for `train_reward_model`.
        progress: likewise.

    Raises:
        UserError: as `train_reward_model`, or a file cannot be read.
    """
    rejected: Counter[str] = Counter()
    pairs, lists = _read(path, config, rejected)
    rejected_held: Counter[str] = Counter()
    held = _pairs_of(validation, config, rejected_held) if validation is not None else None
    if held is not None and all(pair.label == "tie" for pair in held):
        raise DataError(
            f"{validation}: holds no pair with a preferred reply to validate on ({len(held)} ties); give others, or leave --validation out"
        )
    soft, evident = config.train.soft_labels, config.train.people == "correct"
    result = train_reward_model(
        pairs,
        base,
        out,
        config.train,
        config.reward,
        seed=config.seed,
        lists=lists,
        validation=held,
        p_first=p_first_of(pairs, EVIDENCE if evident else BELIEF) if soft else None,
        p_trusted=p_first_of(pairs, TRUSTED) if soft and evident else None,
        head_config=config.head,
        resume=resume,
        progress=progress,
    )
    told = {"rejected_rows": dict(rejected)} | ({"rejected_validation_rows": dict(rejected_held)} if held else {})
    return TrainResult(path=result.path, metrics={**result.metrics, **told})


def _read(path: str | Path, config: GoldsmithConfig, rejected: Counter[str]) -> tuple[list[Pair], list[RankedList]]:
    if config.train.ranked_lists == "pairs":
        return _pairs_of(path, config, rejected), []
    lists = []
    for found in read_lists(path, max_line_mb=config.pool.max_line_mb):
        if isinstance(found, Rejected):
            rejected[found.reason] += 1
        else:
            lists.append(found)
    return [], lists


def _pairs_of(path: str | Path, config: GoldsmithConfig, rejected: Counter[str]) -> list[Pair]:
    pairs: list[Pair] = []
    for row in read_pairs(path, max_line_mb=config.pool.max_line_mb):
        if isinstance(row, Rejected):
            rejected[row.reason] += 1
        else:
            pairs.append(row)
    return pairs
