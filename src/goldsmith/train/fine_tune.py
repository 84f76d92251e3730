"""Training of adapters or of everything, on transformers' Trainer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from goldsmith.errors import UserError
from goldsmith.reward.checkpoint import choose_device, choose_dtype
from goldsmith.reward.trunk import join_trunk
from goldsmith.train.batches import make_units, plan_epoch
from goldsmith.train.export import new_classifier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from goldsmith.config.train import LoraConfig, TrainConfig
    from goldsmith.train.batches import Unit
    from goldsmith.train.frozen import FrozenStates
    from goldsmith.train.run import Job
    from goldsmith.train.trainer import PairModel

TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""The linear maps of a Llama-like layer; each gets an adapter."""


def fine_tune(job: Job) -> tuple[Any, dict[str, Any]]:
    """Return the trained classifier, adapters merged, and metrics {steps, loss, train_accuracy}."""
    from transformers import set_seed

    from goldsmith.train.trainer import PairModel, PairTrainer, ShowProgress, StopOnBadGradient, last_complete_checkpoint

    set_seed(job.seed)
    renderer, config = job.features.renderer, job.config
    units = make_units(job.pairs, renderer, config.batch_size, share=job.features.backbone.packs, weights=job.weights)
    sizes = [len(unit.chosen) for unit in units]
    steps = [step for epoch in range(config.epochs) for step in plan_epoch(sizes, config.batch_size, epoch, job.seed)]
    classifier = new_classifier(job.features.backbone.folder, renderer.pad_id, job.head.weight)
    adapted, frozen_layers = _prepare(classifier, config)
    model = PairModel(classifier, frozen_layers)
    trainer = PairTrainer(
        model,
        units,
        steps,
        pad_id=renderer.pad_id,
        token_budget=job.features.config.token_budget,
        center=config.center_rewards,
        frozen=_frozen(model, units, job),
        args=_arguments(job, len(steps)),
    )
    trainer.add_callback(StopOnBadGradient(trainer))
    if job.progress:
        trainer.add_callback(ShowProgress(job.progress))
    checkpoint = last_complete_checkpoint(job.work)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    merged = adapted.merge_and_unload() if adapted is not classifier else classifier
    join_trunk(getattr(merged, merged.base_model_prefix))
    recent = trainer.step_metrics[-max(1, len(steps) // config.epochs) :]
    pairs = sum(step["pairs"] for step in recent)
    metrics = {
        "steps": len(steps),
        "loss": sum(step["loss"] * step["pairs"] for step in recent) / pairs,
        "train_accuracy": sum(step["accuracy"] * step["pairs"] for step in recent) / pairs,
    }
    return merged, metrics


def _frozen(model: PairModel, units: Sequence[Unit], job: Job) -> FrozenStates | None:
    from goldsmith.train.frozen import FrozenStates, fits_in_memory

    if model.lower is None or not fits_in_memory(units, model.classifier.config.hidden_size):
        return None
    device = choose_device()
    model.to(device)
    return FrozenStates(
        model.lower,
        units,
        pad_id=job.features.renderer.pad_id,
        packed=model.packs,
        token_budget=job.features.config.token_budget,
        device=device,
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
    import torch
    from transformers import TrainingArguments

    config = job.config
    device = choose_device()
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
        bf16=choose_dtype(job.features.config.dtype, device) == torch.bfloat16,
        use_cpu=device.type == "cpu",
        seed=job.seed,
        save_strategy="steps",
        save_steps=config.checkpoint_steps,
        save_total_limit=2,
        logging_steps=10,
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
    )
