"""What is called between the steps of a training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from transformers import TrainerCallback

from goldsmith.errors import UserError

if TYPE_CHECKING:
    from goldsmith.train.trainer import PairTrainer


class StopOnBadGradient(TrainerCallback):  # type: ignore[misc]
    """Stops before the optimizer step when a gradient is not finite."""

    def __init__(self, trainer: PairTrainer) -> None:
        self.trainer = trainer

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Check the gradients of everything that is trained."""
        trainer = self.trainer
        for name, value in trainer.model.named_parameters():
            if value.grad is not None and not torch.isfinite(value.grad).all():
                units = [trainer.units[number] for number in trainer.train_dataset[state.global_step]]
                names = ", ".join([pair for unit in units for pair in unit.pair_ids][:8])
                raise UserError(
                    f"the gradient of {name} is not finite at step {state.global_step + 1} (pairs {names}, ...); nothing was updated. "
                    "Lower train.learning_rate, or take these pairs out; the last checkpoint is kept"
                )


class ShowProgress(TrainerCallback):  # type: ignore[misc]
    """Passes finished steps and the last loss on to a progress bar."""

    def __init__(self, trainer: PairTrainer, progress: Any) -> None:
        self.trainer, self.progress = trainer, progress

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Report steps done, steps in all, and the loss."""
        loss = next(row["loss"] for row in reversed(self.trainer.rows) if "loss" in row)
        self.progress(state.global_step, state.max_steps, "steps", f"loss {loss:.4f}")
