"""The end of the flow: train the final model and its raw-trained rival, and measure both on pairs nobody trained on."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from goldsmith.config.train import TrainConfig
from goldsmith.curate.context import Context
from goldsmith.curate.decide import HUMAN, UNDECIDED
from goldsmith.curate.rewards import closed_contexts, pair_features, rewards, trainable
from goldsmith.errors import StoreError, UserError
from goldsmith.reward.correction import FEWEST_GOLD
from goldsmith.store import PAIR_COLUMNS, Counts, atomic, from_row
from goldsmith.types import Pair

if TYPE_CHECKING:
    from numpy.typing import NDArray

RAW, CURATED, FINAL, BEST, GOLD = "raw", "curated", "final", "best RM", "gold RM"
AUDIT_SET = "gold audit"
EVALUATION_SCHEMA = pa.schema(
    [
        ("set", pa.string()),
        ("model", pa.string()),
        ("pair_id", pa.string()),
        ("context_id", pa.string()),
        ("margin", pa.float64()),
        ("correct", pa.bool_()),
        ("tie", pa.bool_()),
        ("longer_correct", pa.float64()),
    ]
)


def planned_models(context: Context) -> dict[str, tuple[str, TrainConfig]]:
    """Return the models to train: name to (training table, settings).

    `raw` and `curated` are always trained alike, so that their difference is the data's; `final` is there when the
    configured method is not the one the comparison uses.
    """
    config = context.config
    plain = {"method": "head", "center_rewards": 0.0, "margins": "none", "eval_steps": None, "early_stopping_patience": None}
    head = config.train.model_copy(update=plain)
    if config.evaluate.compare_raw == "none":
        return {CURATED: ("curated", config.train)}
    if config.evaluate.compare_raw == "same" or config.train.method == "head":
        return {RAW: ("raw", config.train), CURATED: ("curated", config.train)}
    return {RAW: ("raw", head), CURATED: ("curated", head), FINAL: ("curated", config.train)}


def train_models(context: Context, fingerprint: str) -> dict[str, Any]:
    """Train every planned model into `models/<name>`; one that is there with this fingerprint is not trained again."""
    from goldsmith.train import train_reward_model

    facts: dict[str, Any] = {}
    for name, (data, settings) in planned_models(context).items():
        rows = training_rows(context, data)
        if not rows:
            raise UserError(f"no pair is left to train '{name}' on; `goldsmith report` shows where they went")
        people, settings = _people(context, data, rows, settings)
        context.progress.note(f"{name}: {settings.method} on {len(rows)} pairs")
        _make_room(context.workspace.models, name, fingerprint)
        soft = _probabilities(context, settings) if settings.soft_labels and data == "curated" else {}
        result = train_reward_model(
            [from_row(row) for row in rows],
            context.config.reward.base,
            context.workspace.models / name,
            settings,
            context.config.reward,
            seed=context.seed,
            validation=_validation(context, settings),
            p_first=soft.get("p_first"),
            p_trusted=soft.get("p_trusted"),
            people=people,
            fingerprint=fingerprint,
            features=context.features,
            head_config=context.config.head,
            progress=context.progress.update,
        )
        facts[name] = {"pairs": len(rows), "method": settings.method, "data": data, **result.metrics}
        facts[name] |= _calibrate(context, result.path, settings)
    with context.workspace.writer("trained", step="train", fingerprint=fingerprint) as out:
        out.write(pa.table({"model": pa.array(sorted(facts), pa.string())}))
    return facts


def _people(
    context: Context, data: str, rows: Sequence[dict[str, Any]], settings: TrainConfig
) -> tuple[set[str] | None, TrainConfig]:
    """The rows whose label is gold's, and the settings: pooled where these are too few to correct with, and for raw labels."""
    if settings.people == "pooled":
        return None, settings
    pooled = settings.model_copy(update={"people": "pooled"})
    if data == "raw":
        return None, pooled
    # Gold that the pool did not hold is in the curated set too, and has no decision.
    known = context.workspace.table("gold").rows(["pair_id", "split", "label"])
    gold = {row["pair_id"] for row in known if row["split"] == "train" and row["label"] != "tie"}
    gold &= {row["pair_id"] for row in rows}
    if len(gold) >= FEWEST_GOLD:
        return gold, settings
    context.progress.note(f"people's labels are learnt with the others: {len(gold)} of {FEWEST_GOLD} that a correction needs")
    return None, pooled


def _calibrate(context: Context, folder: Path, settings: TrainConfig) -> dict[str, Any]:
    """Fit a model's temperature on gold validation, which no model is trained on, and store it in its card."""
    from goldsmith.reward.calibration import FEWEST_PAIRS, fit_calibration, store_calibration

    gold = context.workspace.table("gold").rows()
    rows = [row for row in gold if row["split"] == "validation" and row["label"] != "tie"]
    if len(rows) < FEWEST_PAIRS:
        return {}
    try:
        found = fit_calibration(list(_checkpoint_margins(context, folder, settings, rows).values()), "gold validation")
    except UserError as error:
        context.progress.note(f"{folder.name}: win probabilities stay uncalibrated: {error}")
        return {}
    store_calibration(folder, found)
    return {"temperature": found.temperature, "calibration_pairs": found.num_pairs}


def _make_room(models: Path, name: str, fingerprint: str) -> None:
    """Remove a model, or an unfinished one, that was trained from other data or settings."""
    tag = models / f"{name}.fingerprint"
    if tag.is_file() and tag.read_text(encoding="utf-8") == fingerprint:
        return
    for folder in (models / name, models / f".{name}.work"):
        shutil.rmtree(folder, ignore_errors=True)
    atomic.write_text(tag, fingerprint)


def _validation(context: Context, settings: TrainConfig) -> list[Pair] | None:
    """Gold validation, where the settings measure on the way; its contexts are closed to training anyway."""
    if settings.eval_steps is None and settings.early_stopping_patience is None:
        return None
    rows = context.workspace.table("gold").rows()
    return [from_row(row) for row in rows if row["split"] == "validation" and row["label"] != "tie"]


def _probabilities(context: Context, settings: TrainConfig) -> dict[str, dict[str, float]]:
    """The soft labels of every pair that was decided, and not by people, by the names of `train_reward_model`'s arguments."""
    names: dict[str, tuple[str, ...]] = {"p_first": ("p_first",)}
    if settings.people == "correct":
        names = {"p_first": ("p_sources", "p_first"), "p_trusted": ("p_trusted",)}
    columns = sorted({column for order in names.values() for column in order})
    rows = context.workspace.table("decisions").rows(["pair_id", "rule", "reason", *columns])
    decided = [row for row in rows if row["rule"] != HUMAN and row["reason"] not in UNDECIDED]
    return {argument: _first_told(decided, order) for argument, order in names.items()}


def _first_told(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> dict[str, float]:
    told = {row["pair_id"]: [row[name] for name in columns if row[name] is not None] for row in rows}
    return {name: found[0] for name, found in told.items() if found}


def training_rows(context: Context, data: str) -> list[dict[str, Any]]:
    """Return the rows of `curated`, or of `raw`: the pool under its original labels, without gold validation and audit."""
    closed = closed_contexts(context.workspace.table("gold").rows(["context_id", "split"]))
    table = "curated" if data == "curated" else "pool"
    return trainable(context.workspace.table(table).rows(PAIR_COLUMNS), closed)


def evaluate_models(context: Context, fingerprint: str) -> dict[str, Any]:
    """Write `evaluation`: every model on every set and on gold audit, pair by pair."""
    sets = evaluation_pairs(context)
    rows = [row for pairs in sets.values() for row in pairs]
    models = context.workspace.models
    margins = {
        name: _checkpoint_margins(context, models / name, settings, rows)
        for name, (_, settings) in planned_models(context).items()
    }
    for name, folder in ((BEST, "best-rm"), (GOLD, "gold-rm")):
        margins[name] = _head_margins(context, context.workspace.models / folder, rows)
    made = [
        _outcome(set_name, model, row, margins[model][row["pair_id"]])
        for set_name, pairs in sets.items()
        for model in margins
        for row in pairs
    ]
    with context.workspace.writer("evaluation", step="evaluate", fingerprint=fingerprint) as out:
        out.write_rows(made, EVALUATION_SCHEMA)
        out.counts = Counts(total=len(rows) * len(margins), kept=len(made))
    return {"sets": {name: len(pairs) for name, pairs in sets.items()}, "models": list(margins)}


def evaluation_pairs(context: Context) -> dict[str, list[dict[str, Any]]]:
    """Return the pairs of each set by its name, gold audit last; ties are out."""
    sets: dict[str, list[dict[str, Any]]] = {}
    for row in context.workspace.table("eval_pairs").rows():
        sets.setdefault(row["set"], []).append(row)
    audit = [row for row in context.workspace.table("gold").rows() if row["split"] == "audit" and row["label"] != "tie"]
    if audit:
        sets[AUDIT_SET] = audit
    return sets


def _checkpoint_margins(
    context: Context, folder: Path, settings: TrainConfig, rows: Sequence[dict[str, Any]]
) -> dict[str, float]:
    """Score with the saved checkpoint; its trunk is the cached one where only the head was trained, and is not read again."""
    if settings.method == "head":
        first, second = pair_features(context, rows, "last")
        weight = score_weight(folder)
        scores = list(zip((first @ weight).tolist(), (second @ weight).tolist(), strict=True))
    else:
        from goldsmith.reward import RewardModel

        model = RewardModel.load(folder, dtype=context.config.reward.dtype, token_budget=context.config.reward.token_budget)
        scores = model.score_pairs(
            [from_row(row) for row in rows], progress=lambda done, total, _tokens: context.progress.update(done, total, "replies")
        )
    return {row["pair_id"]: _margin(row, first, second) for row, (first, second) in zip(rows, scores, strict=True)}


def score_weight(folder: Path) -> NDArray[np.float32]:
    """Return the head of a saved checkpoint, float32 [D]."""
    from goldsmith.reward.checkpoint import read_tensor, tensor_files
    from goldsmith.reward.classifier import HEAD

    path = tensor_files(folder).get(HEAD)
    if path is None:
        raise StoreError(f"{folder}: no head among the weights; delete the folder and run again to train it anew")
    return np.asarray(read_tensor(path, HEAD).float().numpy(), dtype=np.float32).reshape(-1)


def _head_margins(context: Context, folder: Path, rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    from goldsmith.reward.head import Head

    scored = rewards(context, Head.load(folder), rows, context.config.reward.readout)
    return {
        row["pair_id"]: _margin(row, first, second) for row, first, second in zip(rows, scored.first, scored.second, strict=True)
    }


def _margin(row: dict[str, Any], first: float, second: float) -> float:
    return float(first - second) if row["label"] == "first" else float(second - first)


def _outcome(set_name: str, model: str, row: dict[str, Any], margin: float) -> dict[str, Any]:
    lengths = Counter({"first": len(row["first"]), "second": len(row["second"])})
    other = "second" if row["label"] == "first" else "first"
    longer = 0.5 if lengths["first"] == lengths["second"] else float(lengths[row["label"]] > lengths[other])
    outcome = {"set": set_name, "model": model, "pair_id": row["pair_id"], "context_id": row["context_id"], "margin": margin}
    return outcome | {"correct": margin > 0, "tie": margin == 0, "longer_correct": longer}
