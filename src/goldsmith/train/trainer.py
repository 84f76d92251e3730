"""The training loop: transformers' Trainer on whole steps of pairs, each step's gradient exact however it is cut into pieces."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.utils.data import DataLoader, Dataset
from transformers import Trainer, TrainerCallback

from goldsmith.errors import UserError
from goldsmith.reward.model import head_scores
from goldsmith.reward.packing import Batch, collate
from goldsmith.reward.trunk import last_token, run_trunk, split_trunk, supports_packing
from goldsmith.train.batches import Unit, split_by_tokens
from goldsmith.train.frozen import FrozenStates
from goldsmith.train.loss import bradley_terry_loss

WEIGHTS = "trainable.safetensors"
COMPLETE = "complete"
"""Empty file that is written last into a checkpoint: one without it is torn, and not used."""


class PairModel(nn.Module):
    """A classifier that gives the rewards of a batch, its frozen lower layers run without a gradient.

    Attributes:
        classifier: the whole model, with adapters if there are any.
        lower: frozen layers below the first trained one; None when everything is trained.
        upper: the rest of the trunk.
        packs: packed rows are exact on this trunk.
    """

    def __init__(self, classifier: Any, frozen_layers: int) -> None:
        super().__init__()
        self.classifier = classifier
        trunk = getattr(classifier, classifier.base_model_prefix)
        # Kept out of the module tree: they are other views of the classifier's own layers.
        parts = split_trunk(trunk, frozen_layers) if frozen_layers else (None, trunk)
        object.__setattr__(self, "lower", parts[0])
        object.__setattr__(self, "upper", parts[1])
        self.packs = supports_packing(classifier.config)

    def frozen_states(self, batch: Batch) -> torch.Tensor | None:
        """Return what the frozen layers make of a batch, [B, L, D]; None when there are none."""
        if self.lower is None:
            return None
        with torch.no_grad():
            states: torch.Tensor = run_trunk(self.lower, batch).last_hidden_state
        return states

    def forward(self, batch: Batch, inputs_BLD: torch.Tensor | None = None) -> torch.Tensor:
        """Return the rewards of a batch, float32 [R], in the order of `batch.rows`."""
        states_BLD = run_trunk(self.upper, batch, inputs_BLD).last_hidden_state
        return head_scores(last_token(states_BLD, batch), self.classifier.score.weight)


class Steps(Dataset[list[int]]):
    """Every optimizer step of the run as a list of unit numbers: the position in the run is the position in the data."""

    def __init__(self, steps: Sequence[list[int]]) -> None:
        self.steps = steps

    def __len__(self) -> int:
        """Return the number of steps."""
        return len(self.steps)

    def __getitem__(self, index: int) -> list[int]:
        return self.steps[index]


class PairTrainer(Trainer):  # type: ignore[misc]
    """Trainer whose batch is a list of units; checkpoints hold what is trained, and nothing else of the model."""

    def __init__(
        self,
        model: PairModel,
        units: Sequence[Unit],
        steps: Sequence[list[int]],
        *,
        pad_id: int,
        token_budget: int,
        center: float,
        frozen: FrozenStates | None = None,
        **rest: Any,
    ) -> None:
        """Prepare training.

        Args:
            model: what is trained.
            units: all training pairs.
            steps: unit numbers of every step of the run.
            pad_id: for padded tensors.
            token_budget: tokens of one forward and backward pass; a step of more is computed in pieces.
            center: weight of reward centring.
            frozen: what the frozen layers make of all units, where it is kept.
            rest: arguments of `transformers.Trainer`.
        """
        super().__init__(model=model, train_dataset=Steps(steps), **rest)
        self.units, self.pad_id, self.token_budget, self.center = units, pad_id, token_budget, center
        self.frozen = frozen
        self.step_metrics: list[dict[str, float]] = []

    def get_train_dataloader(self) -> DataLoader[list[int]]:
        """Return the steps in their order."""
        return DataLoader(self.train_dataset, batch_size=1, shuffle=False, collate_fn=_only)

    def training_step(self, model: PairModel, inputs: list[int], num_items_in_batch: Any = None) -> torch.Tensor:
        """Add the gradient of one step's mean loss over its pairs, piece by piece, and return that loss.

        Raises:
            UserError: the loss is not finite; the message names the pairs, and no weight has moved.
        """
        model.train()
        units = [self.units[number] for number in inputs]
        total = sum(sum(unit.weights) for unit in units)
        losses, pairs, correct = [], 0, 0.0
        for positions in split_by_tokens(units, self.token_budget):
            piece = [units[position] for position in positions]
            out, metrics = self._piece_loss(model, piece, [inputs[position] for position in positions], total)
            self.accelerator.backward(out)
            losses.append(out.detach())
            count = sum(len(unit.chosen) for unit in piece)
            pairs, correct = pairs + count, correct + count * metrics["accuracy"]
        loss = torch.stack(losses).sum()
        self.step_metrics.append({"loss": float(loss), "accuracy": correct / pairs, "pairs": float(pairs)})
        return loss

    def _piece_loss(
        self, model: PairModel, units: Sequence[Unit], numbers: Sequence[int], total: float
    ) -> tuple[torch.Tensor, dict[str, float]]:
        reward_U = unit_rewards(model, units, numbers, self.frozen, self.pad_id)
        chosen = torch.cat([reward[list(unit.chosen)] for reward, unit in zip(reward_U, units, strict=True)])
        rejected = torch.cat([reward[list(unit.rejected)] for reward, unit in zip(reward_U, units, strict=True)])
        weights = torch.tensor([weight for unit in units for weight in unit.weights], device=chosen.device)
        out = bradley_terry_loss(chosen, rejected, weights, center=self.center, total_weight=total)
        if not torch.isfinite(out.loss):
            names = [name for unit in units for name in unit.pair_ids]
            bad = [
                name for name, margin in zip(names, (chosen - rejected).tolist(), strict=True) if not abs(margin) < float("inf")
            ]
            raise UserError(
                f"the loss is {float(out.loss.detach())} at step {self.state.global_step + 1}, from pairs {', '.join(bad[:8] or names[:8])}; nothing was "
                "updated. Lower train.learning_rate, or take these pairs out; the last checkpoint is kept"
            )
        return out.loss, out.metrics

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        folder = Path(output_dir or str(self.args.output_dir))
        folder.mkdir(parents=True, exist_ok=True)
        trained = {name: value.detach().contiguous() for name, value in self.model.named_parameters() if value.requires_grad}
        save_file(trained, folder / WEIGHTS)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        super()._save_checkpoint(model, trial)
        (Path(str(self.args.output_dir)) / f"checkpoint-{self.state.global_step}" / COMPLETE).touch()

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        trained = load_file(Path(resume_from_checkpoint) / WEIGHTS)
        parameters = dict(self.model.named_parameters())
        with torch.no_grad():
            for name, value in trained.items():
                parameters[name].copy_(value)


def unit_rewards(
    model: PairModel, units: Sequence[Unit], numbers: Sequence[int], frozen: FrozenStates | None, pad_id: int
) -> list[torch.Tensor]:
    """Return for each unit the rewards of its replies, in the order of `unit.replies`.

    Args:
        model: what is trained.
        units: the units of a batch.
        numbers: their numbers in `frozen`.
        frozen: what the frozen layers make of all units, where it is kept.
        pad_id: for padded tensors.
    """
    batch = collate([unit.group for unit in units], pad_id, packed=model.packs, device=model.classifier.device)
    inputs = model.frozen_states(batch) if frozen is None else frozen.inputs(batch, numbers)
    return list(model(batch, inputs).split([len(unit.replies) for unit in units]))


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
    """Passes finished steps on to a progress bar."""

    def __init__(self, progress: Any) -> None:
        self.progress = progress

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Report steps done and steps in all."""
        self.progress(state.global_step, state.max_steps)


def last_complete_checkpoint(folder: Path) -> Path | None:
    """Return the newest checkpoint that was written to its end, and remove torn ones."""
    found = []
    for path in folder.glob("checkpoint-*"):
        if (path / COMPLETE).is_file():
            found.append(path)
        else:
            shutil.rmtree(path, ignore_errors=True)
    return max(found, key=lambda path: int(path.name.rsplit("-", 1)[1]), default=None)


def _only(items: list[list[int]]) -> list[int]:
    return items[0]
