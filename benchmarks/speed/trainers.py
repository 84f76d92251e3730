"""Three ways of training the same steps on the same pairs: Goldsmith's, a padded loop, TRL's trainer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speed.contender import Gate

LEARNING_RATE = 1e-5
MAX_GRAD_NORM = 1.0


@dataclass(frozen=True)
class Work:
    """What every trainer gets.

    Attributes:
        start: checkpoint to begin with, a classifier with a random head.
        pairs: all pairs, for Goldsmith, which makes the steps by itself.
        steps: the same steps as token ids, (chosen, rejected) of each pair.
        pad_id: fills padded batches.
        max_length: tokens of a conversation at most.
        batch_size: pairs of a step.
        dtype: arithmetic, `float32` or `bfloat16`; the weights are float32.
        seed: of the order.
        micro: pairs of a micro-batch of the padded trainers.
    """

    start: Path
    pairs: Sequence[Any]
    steps: Sequence[Sequence[tuple[list[int], list[int]]]]
    pad_id: int
    max_length: int
    batch_size: int
    dtype: str
    seed: int
    micro: int


def goldsmith(gate: Gate, work: Work, out: Path, share: bool = True) -> None:
    """`train_reward_model`, method full; its progress bar is where the steps are held."""
    import numpy as np
    from safetensors.torch import load_file

    from goldsmith.config.reward import RewardConfig
    from goldsmith.config.train import TrainConfig
    from goldsmith.reward import packing
    from goldsmith.reward.head import Head
    from goldsmith.train import batches, train_reward_model

    if not share:
        batches.make_group = lambda rendered, rows, share: packing.make_group(rendered, rows, share=False)
    weight = load_file(work.start / "model.safetensors")["score.weight"].flatten().numpy().astype(np.float64)
    gate.wait()

    def after_step(*_: Any) -> None:
        gate.done()
        gate.wait()

    train_reward_model(
        list(work.pairs),
        work.start,
        out,
        TrainConfig(
            method="full",
            batch_size=work.batch_size,
            learning_rate=LEARNING_RATE,
            warmup_ratio=0.0,
            schedule="constant",
            checkpoint_steps=10_000,
        ),
        RewardConfig(max_length=work.max_length, dtype=work.dtype),
        seed=work.seed,
        init_head=Head(weight=weight, l2=0.0, temperature=1.0, num_pairs=0),
        progress=after_step,
    )


def padded(gate: Gate, work: Work) -> None:
    """A plain PyTorch loop: each batch sorted by length, padded micro-batches, AdamW on float32 weights."""
    import torch
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(work.start, dtype=torch.float32).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.0, fused=True)
    for step in work.steps:
        gate.wait()
        total = 0.0
        ordered = sorted(step, key=lambda pair: -max(map(len, pair)))
        for begin in range(0, len(ordered), work.micro):
            micro = ordered[begin : begin + work.micro]
            ids, mask = _padded([ids for pair in micro for ids in pair], work.pad_id)
            with torch.autocast("cpu", torch.bfloat16, enabled=work.dtype == "bfloat16"):
                reward = model(input_ids=ids, attention_mask=mask).logits[:, 0].float()
            loss = -torch.nn.functional.logsigmoid(reward[::2] - reward[1::2]).sum() / len(step)
            loss.backward()
            total += float(loss.detach())
        torch.nn.utils.clip_grad_norm_(model.parameters(), MAX_GRAD_NORM)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        gate.done(total)


def trl(gate: Gate, work: Work, out: Path) -> None:
    """TRL's RewardTrainer without gradient checkpointing, which it switches on by default and which costs a third."""
    import torch
    from datasets import Dataset
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, TrainerCallback
    from trl import RewardConfig, RewardTrainer

    class Hold(TrainerCallback):
        def on_step_begin(self, *_: Any, **__: Any) -> None:
            gate.wait()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            gate.done(sum(losses) / accumulation)
            losses.clear()

    class InOrder(RewardTrainer):
        def _get_train_sampler(self, *_: Any, **__: Any) -> Any:
            return torch.utils.data.SequentialSampler(self.train_dataset)

        def compute_loss(self, *arguments: Any, **options: Any) -> Any:
            result = super().compute_loss(*arguments, **options)
            losses.append(float((result[0] if isinstance(result, tuple) else result).detach()))
            return result

    losses: list[float] = []
    accumulation = work.batch_size // work.micro
    rows = [{"chosen_ids": chosen, "rejected_ids": rejected} for step in work.steps for chosen, rejected in step]
    trainer = InOrder(
        model=AutoModelForSequenceClassification.from_pretrained(work.start, dtype=torch.float32),
        processing_class=AutoTokenizer.from_pretrained(work.start),
        train_dataset=Dataset.from_list(rows),
        args=RewardConfig(
            output_dir=str(out),
            max_steps=len(work.steps),
            per_device_train_batch_size=work.micro,
            gradient_accumulation_steps=accumulation,
            learning_rate=LEARNING_RATE,
            lr_scheduler_type="constant",
            max_length=work.max_length,
            gradient_checkpointing=False,
            bf16=work.dtype == "bfloat16",
            use_cpu=True,
            optim="adamw_torch_fused",
            max_grad_norm=MAX_GRAD_NORM,
            report_to=[],
            save_strategy="no",
            disable_tqdm=True,
            logging_steps=10_000,
        ),
        callbacks=[Hold()],
    )
    trainer.train()


def _padded(sequences: Sequence[list[int]], pad_id: int) -> tuple[Any, Any]:
    import torch

    ids = torch.full((len(sequences), max(map(len, sequences))), pad_id, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, sequence in enumerate(sequences):
        ids[row, : len(sequence)] = torch.tensor(sequence)
        mask[row, : len(sequence)] = 1
    return ids, mask
