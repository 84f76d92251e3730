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
        """Check the gradients of everything that is trained; a process may hold a part of them only."""
        self.trainer.sharding.processes.agree(self._trouble(state.global_step))

    def _trouble(self, step: int) -> UserError | None:
        trainer = self.trainer
        for name, value in trainer.model.named_parameters():
            if value.grad is not None and not torch.isfinite(own_part(value.grad)).all():
                units = [trainer.units[number] for number in trainer.train_dataset[step]]
                names = ", ".join([pair for unit in units for pair in unit.pair_ids][:8])
                return UserError(
                    f"the gradient of {name} is not finite at step {step + 1} (pairs {names}, ...); nothing was updated. "
                    "Lower train.learning_rate, or take these pairs out; the last checkpoint is kept"
                )
        return None


class ShowProgress(TrainerCallback):  # type: ignore[misc]
    """Passes finished steps and the last loss on to a progress bar."""

    def __init__(self, trainer: PairTrainer, progress: Any) -> None:
        self.trainer, self.progress = trainer, progress

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Report steps done, steps in all, and the loss."""
        loss = next(row["loss"] for row in reversed(self.trainer.rows) if "loss" in row)
        self.progress(state.global_step, state.max_steps, "steps", f"loss {loss:.4f}")


def own_part(tensor: torch.Tensor) -> torch.Tensor:
    """Return what this process holds of a tensor that may be split among processes."""
    local: torch.Tensor = tensor.to_local() if hasattr(tensor, "to_local") else tensor
    return local
