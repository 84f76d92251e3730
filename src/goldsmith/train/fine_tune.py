"""Training of adapters or of everything, on transformers' Trainer."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

from goldsmith.errors import UserError
from goldsmith.reward.checkpoint import choose_device
from goldsmith.train.batches import make_units, plan_epoch, without_identical
from goldsmith.train.checkpoints import choose_checkpoint
from goldsmith.train.export import new_classifier
from goldsmith.train.job import Trained
from goldsmith.train.precision import is_mixed
from goldsmith.train.sharding import make_sharding
from goldsmith.train.shares import share
from goldsmith.train.trackers import tensorboard_callback, tracker_arguments
from goldsmith.train.trainable import TARGETS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from goldsmith.config.train import LoraConfig, TrainConfig
    from goldsmith.train.batches import Unit
    from goldsmith.train.frozen import FrozenStates
    from goldsmith.train.job import Job
    from goldsmith.train.model import PairModel
    from goldsmith.train.sharding import Sharding
    from goldsmith.train.trainer import PairTrainer


def fine_tune(job: Job) -> Trained:
    """Return the trained classifier, adapters merged, its loss series, and metrics {steps, loss, train_accuracy, ...}.

    Under several processes the classifier is whole on the first one alone.

    Raises:
        UserError: nothing differs between the replies, the loss is not finite, or the checkpoint is corrupt.
        StoreError: a checkpoint cannot be written.
    """
    with warnings.catch_warnings():
        # Of the libraries to each other; nothing that whoever trains could act on.
        warnings.simplefilter("ignore", FutureWarning)
        return _fine_tune(job)


def _fine_tune(job: Job) -> Trained:
    from transformers import set_seed

    from goldsmith.train.model import PairModel

    set_seed(job.seed)
    units, identical, cut = _units(job)
    steps = _plan(units, job)
    device = choose_device()
    sharding = make_sharding(job.config.sharding, job.processes)
    classifier, adapted, frozen_layers = _classifier(job)
    mixed = is_mixed(job.config.precision, job.features.config.dtype, device)
    # Sharded weights are computed with in bfloat16 by what gathers them, which needs no copy of the whole.
    copied = mixed and sharding.keeps_whole
    model = PairModel(classifier, frozen_layers, mixed=copied, recompute=job.config.gradient_checkpointing)
    sharding.place(model, device, mixed=mixed)
    trainer = _trainer(job, model, units, steps, sharding)
    _run(trainer, job.processes.first_does(lambda: choose_checkpoint(job.work, job.resume)))
    if trainer.validate is not None:
        trainer.validate.restore_best()
    facts = {"precision": "bf16-master32" if mixed else "float32", "truncated_replies": cut, "processes": job.processes.size}
    return Trained(
        classifier=_merged(job, trainer, adapted), metrics=_metrics(trainer, job) | facts, rows=trainer.rows, identical=identical
    )


def _classifier(job: Job) -> tuple[Any, Any, int]:
    """Return the classifier on the CPU, the same with adapters, and how many layers at the bottom are not trained."""
    classifier = new_classifier(job.features.backbone.folder, job.features.renderer.pad_id, job.head.weight)
    return classifier, *_prepare(classifier, job.config)


def _merged(job: Job, trainer: PairTrainer, adapted: Any) -> Any:
    """Return the trained classifier as an ordinary one; on other processes than the first, of no use."""
    if trainer.sharding.keeps_whole:
        trainer.model.release()
    else:
        adapted = _gathered(job, trainer)
    return adapted.merge_and_unload() if hasattr(adapted, "merge_and_unload") else adapted


def _gathered(job: Job, trainer: PairTrainer) -> Any:
    """Return a new model that takes over the trained weights, each gathered from all processes."""
    import torch

    weights = trainer.trained()
    if not job.processes.is_first:
        return None
    classifier, adapted, _ = _classifier(job)
    parameters = dict(classifier.named_parameters())
    with torch.no_grad():
        for name, value in weights.items():
            parameters[name.removeprefix("classifier.")].copy_(value)
    return adapted.to(choose_device())


def _units(job: Job) -> tuple[list[Unit], list[str], int]:
    """Return units, names of what was dropped because its replies became the same, and how many replies were cut."""
    renderer, material = job.features.renderer, job.material
    before = renderer.truncated
    units = make_units(
        material.pairs,
        renderer,
        job.config.batch_size,
        share=job.features.backbone.packs,
        labels=material.labels,
        lists=material.lists,
    )
    cut = renderer.truncated - before
    units, identical = without_identical(units)
    if not units:
        raise UserError(f"the replies of all {len(identical)} pairs are the same after they were cut; raise reward.max_length")
    return units, identical, cut


def _plan(units: Sequence[Unit], job: Job) -> list[list[int]]:
    sizes = [unit.size for unit in units]
    return [step for epoch in range(job.config.epochs) for step in plan_epoch(sizes, job.config.batch_size, epoch, job.seed)]


def _trainer(job: Job, model: PairModel, units: Sequence[Unit], steps: Sequence[list[int]], sharding: Sharding) -> PairTrainer:
    from goldsmith.train.callbacks import ShowProgress, StopOnBadGradient
    from goldsmith.train.trainer import PairTrainer

    trainer = PairTrainer(
        model,
        units,
        steps,
        pad_id=job.features.renderer.pad_id,
        token_budget=job.features.config.token_budget,
        center=job.config.center_rewards,
        frozen=_frozen(model, units, steps, sharding, job),
        keep_checkpoints=job.config.keep_checkpoints,
        sharding=sharding,
        args=_arguments(job, len(steps)),
    )
    trainer.add_callback(StopOnBadGradient(trainer))
    if "tensorboard" in job.config.track and job.processes.is_first:
        trainer.add_callback(tensorboard_callback(job.out.with_name(f"{job.out.name}.tensorboard")))
    _add_validation(trainer, job, len(steps))
    if job.progress:
        trainer.add_callback(ShowProgress(trainer, job.progress))
    return trainer


def _add_validation(trainer: PairTrainer, job: Job, num_steps: int) -> None:
    from goldsmith.train.validation import Validate

    config, pairs = job.config, job.material.validation
    if config.eval_steps is None and config.early_stopping_patience is None:
        return
    share = job.features.backbone.packs
    units = make_units(pairs, job.features.renderer, config.batch_size, share=share)
    every = config.eval_steps or max(1, math.ceil(num_steps / 10))
    trainer.validate = Validate(trainer, units, job.work, every, config.early_stopping_patience)
    trainer.add_callback(trainer.validate)


def _run(trainer: PairTrainer, checkpoint: Path | None) -> None:
    if checkpoint is not None and trainer.stopped_at(checkpoint):
        return
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)


def _metrics(trainer: PairTrainer, job: Job) -> dict[str, Any]:
    steps = [row for row in trainer.rows if "loss" in row]
    recent = steps[-max(1, len(trainer.train_dataset) // job.config.epochs) :]
    pairs = sum(row["pairs"] for row in recent)
    found = {
        "steps": len(steps),
        "loss": sum(row["loss"] * row["pairs"] for row in recent) / pairs,
        "train_accuracy": sum(row["accuracy"] * row["pairs"] for row in recent) / pairs,
    }
    if trainer.validate is not None and trainer.validate.best is not None:
        found["best_step"] = trainer.validate.best["step"]
    return found


def _frozen(
    model: PairModel, units: Sequence[Unit], steps: Sequence[list[int]], sharding: Sharding, job: Job
) -> FrozenStates | None:
    from goldsmith.train.frozen import FrozenStates, fits_in_memory

    # Weights that are gathered step by step are there within a step only.
    if model.lower is None or not sharding.keeps_whole:
        return None
    rank, size = job.processes.rank, job.processes.size
    wanted = sorted({step[place] for step in steps for place in share([units[number] for number in step], size)[rank]})
    if not fits_in_memory([units[number] for number in wanted], model.classifier.config.hidden_size):
        return None
    return FrozenStates(
        model.lower,
        units,
        pad_id=job.features.renderer.pad_id,
        packed=model.packs,
        token_budget=job.features.config.token_budget,
        device=model.classifier.device,
        wanted=wanted,
    )


def _prepare(classifier: Any, config: TrainConfig) -> tuple[Any, int]:
    """Return the classifier with adapters (or itself), and how many layers at the bottom are not trained."""
    if config.method == "full":
        return classifier, 0
    from peft import LoraConfig as Adapters
    from peft import get_peft_model

    depth = int(classifier.config.get_text_config().num_hidden_layers)
    first = _first_layer(config.lora, depth)
    adapted = get_peft_model(
        classifier,
        Adapters(
            task_type="SEQ_CLS",
            r=config.lora.rank,
            lora_alpha=config.lora.alpha,
            lora_dropout=0.0,
            target_modules=list(TARGETS),
            layers_to_transform=list(range(first, depth)),
            layers_pattern="layers",
            modules_to_save=[],
        ),
    )
    # The head is trained in place, not in a copy, so that no format can lose it.
    classifier.score.weight.requires_grad_(True)
    return adapted, first


def _first_layer(lora: LoraConfig, depth: int) -> int:
    if lora.last_layers is not None and lora.last_layers > depth:
        raise UserError(
            f"train.lora.last_layers = {lora.last_layers}, but the model has {depth} layers; lower it, or leave it unset"
        )
    return depth - (lora.last_layers or depth)


def _arguments(job: Job, num_steps: int) -> Any:
    from transformers import TrainingArguments

    config = job.config
    return TrainingArguments(
        output_dir=str(job.work),
        max_steps=num_steps,
        per_device_train_batch_size=1,
        learning_rate=config.learning_rate,
        lr_scheduler_type=config.schedule if config.schedule != "constant" else "constant_with_warmup",
        warmup_steps=math.ceil(config.warmup_ratio * num_steps),
        weight_decay=config.weight_decay,
        adam_beta1=config.adam_betas[0],
        adam_beta2=config.adam_betas[1],
        max_grad_norm=config.max_grad_norm,
        use_cpu=choose_device().type == "cpu",
        seed=job.seed,
        save_strategy="steps",
        save_steps=config.checkpoint_steps,
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
        # All log at the same steps, as losses are gathered there; one tells the trackers.
        **tracker_arguments(config.track, job.out.name) | ({} if job.processes.is_first else {"report_to": []}),
    )
