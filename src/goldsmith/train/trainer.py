"""The training loop: transformers' Trainer on whole steps of pairs, each step's gradient exact however it is cut into pieces."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.utils.data import DataLoader, Dataset
from transformers import PrinterCallback, Trainer

from goldsmith.errors import GoldsmithError, UserError
from goldsmith.reward.packing import collate
from goldsmith.train.batches import Unit
from goldsmith.train.checkpoints import read_checkpoint, read_rows, rotate, write_checkpoint
from goldsmith.train.frozen import FrozenStates
from goldsmith.train.loss import LossOut
from goldsmith.train.model import PairModel
from goldsmith.train.objective import SHOWN, not_finite, units_loss
from goldsmith.train.sharding import Sharding
from goldsmith.train.shares import Piece, pieces
from goldsmith.train.state import optimizer_states, random_states, set_random_states

if TYPE_CHECKING:
    from goldsmith.train.validation import Validate


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
    """Trainer whose batch is a list of units; checkpoints hold what is trained, and nothing else of the model.

    Attributes:
        rows: the loss series: one row a step, and one a validation.
        validate: what measures on validation pairs; None without any.
    """

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
        keep_checkpoints: int = 2,
        sharding: Sharding | None = None,
        **rest: Any,
    ) -> None:
        """Prepare training.

        Args:
            model: what is trained.
            units: all training pairs and lists.
            steps: unit numbers of every step of the run.
            pad_id: for padded tensors.
            token_budget: tokens of one forward and backward pass; a step of more is computed in pieces.
            center: weight of reward centring.
            frozen: what the frozen layers make of all units, where it is kept.
            keep_checkpoints: how many stay on disk.
            sharding: what the processes share, and how; none: there is one process.
            rest: arguments of `transformers.Trainer`.
        """
        self.sharding = sharding or Sharding()
        super().__init__(model=model, train_dataset=Steps(steps), **rest)
        # Prints a dict on stdout every few steps; progress is shown by who calls.
        self.remove_callback(PrinterCallback)
        self.units, self.pad_id, self.token_budget, self.center = units, pad_id, token_budget, center
        self.frozen, self.keep_checkpoints = frozen, keep_checkpoints
        self.rows: list[dict[str, Any]] = []
        self.validate: Validate | None = None

    def create_accelerator_and_postprocess(self) -> None:
        """Make accelerate leave the model as it is: gradients are exchanged here, by the step, not by a wrapper that takes means."""
        super().create_accelerator_and_postprocess()
        self.accelerator.prepare_model = functools.partial(self.accelerator.prepare_model, evaluation_mode=True)

    def _move_model_to_device(self, model: Any, device: Any) -> None:
        if self.sharding.keeps_whole:
            super()._move_model_to_device(model, device)

    def _wrap_model(self, model: Any, training: bool = True, dataloader: Any = None) -> Any:
        # Several GPUs in one process would otherwise be used by cutting the batch, which is a list of numbers here.
        return model

    def create_optimizer(self, model: Any = None) -> Any:
        """Return the optimizer, of which this process may hold a part."""
        is_new = self.optimizer is None
        optimizer = super().create_optimizer(model)
        if is_new:
            self.sharding.adopt(optimizer)
        return optimizer

    def get_train_dataloader(self) -> DataLoader[list[int]]:
        """Return the steps in their order, whole: each process takes its share of a step itself."""
        return DataLoader(self.train_dataset, batch_size=1, shuffle=False, collate_fn=_only)

    def training_step(self, model: PairModel, inputs: list[int], num_items_in_batch: Any = None) -> torch.Tensor:
        """Add the gradient of one step's mean loss over its pairs, piece by piece, and return that loss.

        Of several processes each computes its share; loss, gradient and metrics are the whole step's on all of them.

        Raises:
            UserError: the loss is not finite; the message names the pairs, and no weight has moved, in no process.
        """
        self.model.refresh()
        model.train()
        units = [self.units[number] for number in inputs]
        total = sum(unit.total_weight for unit in units)
        losses: list[torch.Tensor] = []
        pairs, sums, error = 0, dict.fromkeys(SHOWN, 0.0), None
        for piece in self._pieces(units):
            chosen = [units[position] for position in piece.positions]
            out, trouble = self._piece_loss(model, chosen, [inputs[position] for position in piece.positions], total)
            self.accelerator.backward(out.loss if piece.counts else 0.0 * out.loss)
            error = error or trouble
            if not piece.counts:
                continue
            losses.append(out.loss.detach())
            count = sum(unit.size for unit in chosen)
            pairs += count
            sums = {name: value + count * out.metrics[name] for name, value in sums.items()}
        loss = self._record(error, float(torch.stack(losses).sum()) if losses else 0.0, pairs, sums)
        self.sharding.sum_gradients(model.parameters())
        return loss

    def _pieces(self, units: Sequence[Unit]) -> list[Piece]:
        processes = self.sharding.processes
        return pieces(units, self.token_budget, processes.rank, processes.size, even=self.sharding.even)

    def _record(self, error: GoldsmithError | None, loss: float, pairs: int, sums: Mapping[str, float]) -> torch.Tensor:
        """Add a step's row, summed over the processes, to the series, and return its loss; raise what any of them met."""
        processes = self.sharding.processes
        errors, losses, counts, metrics = zip(*processes.gather((error, loss, pairs, sums)), strict=True)
        processes.raise_first(errors)
        loss, pairs = sum(losses), sum(counts)
        means = {name: sum(part[name] for part in metrics) / pairs for name in sums}
        rate = float(self.lr_scheduler.get_last_lr()[0])
        self.rows.append({"step": self.state.global_step + 1, "loss": loss, **means, "pairs": pairs, "learning_rate": rate})
        return torch.tensor(loss, device=self.args.device)

    def _piece_loss(
        self, model: PairModel, units: Sequence[Unit], numbers: Sequence[int], total: float
    ) -> tuple[LossOut, GoldsmithError | None]:
        """Return a piece's loss, and what is wrong with it: other processes must hear of that before anything is raised."""
        reward_U = unit_rewards(model, units, numbers, self.frozen, self.pad_id)
        out = units_loss(reward_U, units, center=self.center, total_weight=total)
        if torch.isfinite(out.loss):
            return out, None
        names = [name for unit in units for name in unit.pair_ids]
        bad = [name for reward, unit in zip(reward_U, units, strict=True) for name in not_finite(reward, unit)]
        return out, UserError(
            f"the loss is {float(out.loss.detach())} at step {self.state.global_step + 1}, from pairs {', '.join(bad[:8] or names[:8])}; nothing was "
            "updated. Lower train.learning_rate, or take these pairs out; the last checkpoint is kept"
        )

    def _get_grad_norm(self, model: Any, grad_norm: Any = None) -> Any:
        norm = super()._get_grad_norm(model, grad_norm=grad_norm)
        return norm.full_tensor() if hasattr(norm, "full_tensor") else norm

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Pass a step's values on to trackers, with the last step's accuracy and margin."""
        if "loss" in logs and self.rows:
            logs = {**logs, **{name: self.rows[-1][name] for name in SHOWN if name in self.rows[-1]}}
        super().log(logs, start_time)

    def trained(self) -> dict[str, torch.Tensor]:
        """Return the parameters that are trained, whole on the first process; all have to call it."""
        found = {name: self.sharding.whole(value) for name, value in self._parameters().items()}
        return {name: value for name, value in found.items() if value is not None}

    def _parameters(self) -> dict[str, torch.nn.Parameter]:
        return {name: value for name, value in self.model.named_parameters() if value.requires_grad}

    def load_trained(self, tensors: Mapping[str, torch.Tensor], where: str = "the checkpoint") -> None:
        """Copy saved parameters into the model.

        Raises:
            UserError: they are of another model.
        """
        parameters = self._parameters()
        if parameters.keys() != tensors.keys():
            names = sorted(parameters.keys() ^ tensors.keys())
            raise UserError(
                f"{where} holds other weights than this model trains ({', '.join(names[:4])}); `--resume restart` begins anew"
            )
        for name, value in tensors.items():
            if parameters[name].shape != value.shape:
                raise UserError(
                    f"{where}: {name} has shape {list(value.shape)}, this model's has {list(parameters[name].shape)}; "
                    "go on with the model it was begun with, or begin anew with `--resume restart`"
                )
        with torch.no_grad():
            for name, value in tensors.items():
                parameters[name].copy_(self.sharding.part(value, parameters[name]))
        self.model.refresh()

    def stopped_at(self, checkpoint: Path) -> bool:
        """Whether the run had been stopped early when it wrote a checkpoint; its state is then taken up, and no step is left to do."""
        if self.validate is None or not self.validate.is_over(read_checkpoint(checkpoint).facts["validation"]):
            return False
        self._load_from_checkpoint(str(checkpoint))
        return True

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Write a checkpoint, from the first process; the newest ones before it stay until it is whole."""
        work, step = Path(str(self.args.output_dir)), self.state.global_step
        facts = {
            "step": step,
            "trainer_state": dataclasses.asdict(self.state),
            "schedule": self.lr_scheduler.state_dict(),
            "validation": self.validate.state() if self.validate else None,
        }
        tensors = _prefixed("weights", self.trained())
        tensors |= _prefixed("optimizer", self.sharding.optimizer_tensors(self.optimizer)) | _prefixed("random", random_states())

        def write() -> None:
            write_checkpoint(work / f"checkpoint-{step}", tensors, facts, self.rows)
            rotate(work, self.keep_checkpoints, self.validate.best["step"] if self.validate and self.validate.best else None)

        self.sharding.processes.first_does(write)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        folder = Path(resume_from_checkpoint)
        self._resumed = read_checkpoint(folder)
        self.load_trained(_under("weights", self._resumed.tensors), str(folder))
        self.rows = read_rows(folder)
        if self.validate is not None:
            self.validate.load(self._resumed.facts["validation"])

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            states = optimizer_states(_under("optimizer", self._resumed.tensors), self.sharding.trained)
            self.sharding.load_optimizer(self.optimizer, states)
            self.lr_scheduler.load_state_dict(self._resumed.facts["schedule"])
            for group, rate in zip(self.optimizer.param_groups, self.lr_scheduler.get_last_lr(), strict=True):
                group["lr"] = rate

    def _load_rng_state(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            set_random_states(_under("random", self._resumed.tensors))


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
    inputs = None if frozen is None else frozen.inputs(batch, numbers)
    return list(model(batch, inputs).split([len(unit.replies) for unit in units]))


def _prefixed(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {f"{prefix}/{name}": value for name, value in tensors.items()}


def _under(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name.removeprefix(f"{prefix}/"): value for name, value in tensors.items() if name.startswith(f"{prefix}/")}


def _only(items: list[list[int]]) -> list[int]:
    return items[0]
