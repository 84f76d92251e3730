"""Accuracy on validation pairs while training goes on: the best state is kept, and a run that no longer gains stops."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch.nn.functional import logsigmoid
from transformers import TrainerCallback

from goldsmith.train.batches import Unit
from goldsmith.train.checkpoints import BEST, read_checkpoint, write_checkpoint
from goldsmith.train.sharding import Sharding
from goldsmith.train.shares import pieces

if TYPE_CHECKING:
    from goldsmith.train.model import PairModel
    from goldsmith.train.trainer import PairTrainer


class Measured(NamedTuple):
    """Accuracy (strict wins) and mean negative log-likelihood (nats) on the validation pairs."""

    accuracy: float
    loss: float


def measure(
    model: PairModel, units: Sequence[Unit], pad_id: int, token_budget: int, sharding: Sharding | None = None
) -> Measured:
    """Return how a model does on pairs, in evaluation mode; which mode it was in comes back.

    Of several processes each measures its share, and all return the same.
    """
    from goldsmith.train.trainer import unit_rewards

    # The optimizer has moved since the last forward pass.
    model.refresh()
    sharding = sharding or Sharding()
    processes = sharding.processes
    was_training = model.training
    model.eval()
    wins = loss = pairs = 0.0
    with torch.no_grad():
        for positions, counts in pieces(units, token_budget, processes.rank, processes.size, even=sharding.even):
            piece = [units[position] for position in positions]
            rewards = unit_rewards(model, piece, positions, None, pad_id)
            for unit, reward in zip(piece, rewards, strict=True) if counts else ():
                margin = reward[list(unit.chosen)] - reward[list(unit.rejected)]
                wins, pairs = wins + float((margin > 0).sum()), pairs + len(margin)
                loss -= float(logsigmoid(margin).sum())
    model.train(was_training)
    wins, loss, pairs = map(sum, zip(*processes.gather((wins, loss, pairs)), strict=True))
    return Measured(wins / pairs, loss / pairs)


class Validate(TrainerCallback):  # type: ignore[misc]
    """Measures every `every` steps and at the end, keeps the best state, and stops after `patience` measurements without a better one.

    Better is a higher accuracy or, at the same one, a lower loss.

    Attributes:
        best: the best measurement so far with its `step`; None before the first.
        stale: measurements since.
    """

    def __init__(self, trainer: PairTrainer, units: Sequence[Unit], work: Path, every: int, patience: int | None) -> None:
        self.trainer, self.units, self.work, self.every, self.patience = trainer, units, work, every, patience
        self.best: dict[str, Any] | None = None
        self.stale = 0

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Measure when it is time."""
        if state.global_step % self.every and state.global_step != state.max_steps:
            return
        trainer = self.trainer
        found = measure(trainer.model, self.units, trainer.pad_id, trainer.token_budget, trainer.sharding)
        row = {"step": state.global_step, "validation_accuracy": found.accuracy, "validation_loss": found.loss}
        trainer.rows.append(row)
        trainer.log({name: value for name, value in row.items() if name != "step"})
        before = self.best
        is_finite = math.isfinite(found.loss)
        if is_finite and (before is None or (found.accuracy, -found.loss) > (before["accuracy"], -before["loss"])):
            self.best, self.stale = {"step": state.global_step, **found._asdict()}, 0
            self._keep(self.work / f"{BEST}-{state.global_step}", self.best)
        else:
            self.stale += 1
        if self.is_over(self.state()):
            control.should_training_stop = True

    def _keep(self, folder: Path, best: dict[str, Any]) -> None:
        tensors = self.trainer.trained()
        self.trainer.sharding.processes.first_does(lambda: write_checkpoint(folder, tensors, best))

    def is_over(self, state: dict[str, Any]) -> bool:
        """Whether patience has run out in a state."""
        return self.patience is not None and bool(state["stale"] >= self.patience)

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint must hold of this."""
        return {"best": self.best, "stale": self.stale}

    def load(self, state: dict[str, Any]) -> None:
        """Take up what `state` returned."""
        self.best, self.stale = state["best"], state["stale"]

    def restore_best(self) -> None:
        """Put the best state back into the model."""
        if self.best is not None:
            self.trainer.load_trained(read_checkpoint(self.work / f"{BEST}-{self.best['step']}").tensors)
