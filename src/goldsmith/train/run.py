"""From labelled pairs to a reward model in a folder: one call, resumable, the folder appears whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from goldsmith.config.reward import HeadConfig, RewardConfig
from goldsmith.config.train import TrainConfig
from goldsmith.errors import DataError, UserError
from goldsmith.pool.sources.lists import RankedList
from goldsmith.reward.features import FeatureStore
from goldsmith.reward.grouping import Reply
from goldsmith.reward.head import Head
from goldsmith.reward.model import CARD, RewardModel, read_card
from goldsmith.train.checkpoints import Resume
from goldsmith.train.corrected import fit_corrected
from goldsmith.train.fit import ensemble, fit, head_rows
from goldsmith.train.job import Job, Progress, Trained, check_settings, claimed, differences, open_work, run_facts
from goldsmith.train.material import Material, gather
from goldsmith.train.processes import Processes, joined
from goldsmith.train.rendered import with_rendered_validation, without_unrendered
from goldsmith.train.trackers import check_trackers
from goldsmith.train.trainable import check_trainable
from goldsmith.types import Pair


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainResult:
    """A trained model's folder, and what is known about it.

    Attributes:
        path: the folder.
        metrics: JSON values: pairs, ties, dropped by reason, steps, last loss, training accuracy, validation accuracy where asked for.
    """

    path: Path
    metrics: dict[str, Any]


def train_reward_model(
    pairs: Sequence[Pair],
    base: str | Path,
    out: Path,
    config: TrainConfig,
    reward_config: RewardConfig,
    *,
    seed: int,
    lists: Sequence[RankedList] = (),
    validation: Sequence[Pair] | None = None,
    init_head: Head | None = None,
    weights: Mapping[str, float] | None = None,
    p_first: Mapping[str, float] | None = None,
    p_trusted: Mapping[str, float] | None = None,
    people: Collection[str] | None = None,
    head_config: HeadConfig | None = None,
    features: FeatureStore | None = None,
    fingerprint: str = "",
    resume: Resume = "last",
    progress: Progress | None = None,
) -> TrainResult:
    """Train a reward model on pairs and write it to `out`, with the loss series as `metrics.jsonl` beside the weights.

    A call that was killed continues from its last checkpoint when it is made again; a finished one returns at once. Under `torchrun`
    every process makes the same call: they share the work as `config.sharding` says, the first one writes, and all get the result.

    Args:
        pairs: labelled pairs; ties, empty and identical replies, and contexts of the validation pairs are counted and left out.
        base: `embedded`, a folder or a hub id.
        out: the model's folder; beside it stands `.<name>.work` with checkpoints until the end.
        config: method, loss and schedule.
        reward_config: rendering, arithmetic and feature cache; its `base` is not read.
        seed: of the draw, the order, adapters, folds and resampling.
        lists: ranked lists, learned whole.
        validation: pairs to measure accuracy on, at the end and, where the settings say so, on the way.
        init_head: head on the readout `last` to begin with; none: fitted here.
        weights: weight by pair or list id, 1 where absent.
        p_first: probability that `first` is the better reply by pair id, learned when `config.soft_labels` is on. With
            `config.people = "correct"` it is evidence: what sources say, and no model's margin.
        p_trusted: then also what the source says that people agree with most (`train.corrected`).
        people: ids of pairs whose label people gave, for `config.people`; none: those whose label says so itself.
        head_config: penalties of a head fitted here.
        features: an open store of the same base and configuration, to save loading it again.
        fingerprint: whatever else decides the result, for the caller's sake.
        resume: which checkpoint to go on from: `last` refuses a corrupt one, `intact` passes over it, `restart` begins anew.
        progress: called with (steps done, steps in all, what they are, the last loss in words).

    Raises:
        UserError: no pairs with a label, a model that cannot be trained, a loss that is not finite, another run in `out`,
            settings that do not fit together, a corrupt checkpoint.
        StoreError: the disk is full; the last checkpoint is kept.
    """
    reward_config = reward_config.model_copy(update={"base": str(base)})
    check_trackers(config.track)
    material = gather(
        pairs, lists, config, seed, weights=weights, p_first=p_first, p_trusted=p_trusted, validation=validation, people=people
    )
    check_settings(config, len(material.lists), len(material.validation))
    l2s = (head_config or HeadConfig()).l2
    facts = run_facts(material, base, config, reward_config, seed, init_head, l2s, fingerprint)
    if (out / CARD).is_file() and read_card(out).get("run") == facts["run"]:
        return TrainResult(path=out, metrics=read_card(out)["metrics"])
    _refuse_other(out, facts)
    with joined() as processes, ExitStack() as held:

        def begin() -> Path:
            held.enter_context(claimed(out))
            return open_work(out, facts, resume)

        work = processes.first_does(begin)
        store = features or FeatureStore(reward_config, reward_config.feature_cache or work / "features")
        check_trainable(store.backbone, config)
        material = with_rendered_validation(material, store.renderer)
        try:
            trained = _train(material, config, store, work, out, seed, init_head, l2s, resume, progress, processes)
        except DataError:
            # All is rendered before anything is computed, so looking for what cannot be costs time only where there is such a row.
            rest = without_unrendered(material, store.renderer)
            if rest is material:
                raise
            material = rest
            trained = _train(material, config, store, work, out, seed, init_head, l2s, resume, progress, processes)

        def finish() -> dict[str, Any]:
            metrics = {**_counts(material, trained.identical), **trained.metrics}
            metrics |= _validate(trained.classifier, store, material.validation)
            _save(trained, store, out, facts, metrics, material)
            shutil.rmtree(work, ignore_errors=True)
            return metrics

        return TrainResult(path=out, metrics=processes.first_does(finish))


def _refuse_other(out: Path, facts: dict[str, Any]) -> None:
    """Refuse a folder that holds anything, or has no name."""
    if not out.name:
        raise UserError(f"--out {out} is the folder you stand in, which a model cannot replace; give the name of a folder")
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    remedy = "name another --out, or delete it"
    if not out.is_dir():
        raise UserError(f"{out} is a file, and a model is a folder; {remedy}")
    card = read_card(out) if (out / CARD).is_file() else {}
    if "run" in card:
        raise UserError(
            f"{out} holds a model of another training, which differs in {'; '.join(differences(card, facts))}: {remedy}"
        )
    raise UserError(f"{out} holds something else already; {remedy}")


def _train(
    material: Material,
    config: TrainConfig,
    store: FeatureStore,
    work: Path,
    out: Path,
    seed: int,
    init_head: Head | None,
    l2s: Sequence[float],
    resume: Resume,
    progress: Progress | None,
    processes: Processes,
) -> Trained:
    if config.method == "head":
        return _train_head(material, config, store, seed, init_head, l2s, progress)
    from goldsmith.train.fine_tune import fine_tune

    head = init_head or processes.first_does(lambda: fit(head_rows(material, store), l2s, seed))
    # The base model made the features; what is trained is another copy of it, with float32 weights.
    store.backbone.release()
    job = Job(
        material=material,
        config=config,
        features=store,
        head=head,
        seed=seed,
        work=work,
        out=out,
        resume=resume,
        progress=progress if processes.is_first else None,
        processes=processes,
    )
    return fine_tune(job)


def _train_head(
    material: Material,
    config: TrainConfig,
    store: FeatureStore,
    seed: int,
    init_head: Head | None,
    l2s: Sequence[float],
    progress: Progress | None,
) -> Trained:
    from goldsmith.train.export import new_classifier

    cut = store.renderer.truncated
    rows = head_rows(material, store)
    cut = store.renderer.truncated - cut
    if config.people == "correct":
        if init_head is not None:
            raise UserError("train.people = correct fits its own head, so init_head would do nothing; leave one of them out")
        head, heads = fit_corrected(rows, l2s, seed, config.bootstrap_heads)
    else:
        head = init_head or fit(rows, l2s, seed)
        heads = ensemble(rows, head, config.bootstrap_heads, seed)
    if progress:
        progress(1, 1, "heads", "")
    classifier = new_classifier(store.backbone.folder, store.renderer.pad_id, head.weight)
    return Trained(
        classifier=classifier,
        metrics={
            "steps": 0,
            "cv_accuracy": head.accuracy,
            "l2": head.l2,
            "heads": len(heads.weight) if heads else 0,
            "truncated_replies": cut,
        },
        rows=[asdict(trial) for trial in head.trials],
        identical=rows.identical,
        ensemble=heads,
    )


def _counts(material: Material, identical: Sequence[str]) -> dict[str, Any]:
    counts = dict(material.counts)
    if identical:
        list_ids = {ranked.list_id for ranked in material.lists}
        lists = sum(name in list_ids for name in identical)
        counts["dropped"] = {**counts["dropped"], "identical-after-truncation": len(identical)}
        counts["num_lists"] -= lists
        counts["num_pairs"] -= len(identical) - lists
    return counts


def _validate(classifier: Any, store: FeatureStore, decided: Sequence[Pair]) -> dict[str, Any]:
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
    trained: Trained, store: FeatureStore, out: Path, facts: dict[str, Any], metrics: dict[str, Any], material: Material
) -> None:
    from goldsmith.train.export import ROUND_TRIP_TEXTS, save_reward_model

    probes = [Reply(pair.messages, pair.chosen, pair.pair_id) for pair in material.pairs[:ROUND_TRIP_TEXTS]]
    probes += [
        Reply(ranked.context, ranked.replies[0], ranked.list_id) for ranked in material.lists[: ROUND_TRIP_TEXTS - len(probes)]
    ]
    if out.exists():
        out.rmdir()
    card = {**facts, "num_pairs": len(material.pairs), "num_lists": len(material.lists), "metrics": metrics}
    save_reward_model(trained.classifier, store.renderer, out, card, probes, rows=trained.rows, ensemble=trained.ensemble)
