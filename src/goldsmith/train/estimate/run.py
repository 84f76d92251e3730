"""The whole estimate of one training run."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from goldsmith.config.workspace import GoldsmithConfig
from goldsmith.errors import UserError
from goldsmith.train.estimate.compute import Cost, num_steps, run_cost
from goldsmith.train.estimate.hardware import Hardware
from goldsmith.train.estimate.memory import SHARDINGS, Pass, Precision, Sharding, peak_memory, planned_passes
from goldsmith.train.estimate.parameters import Parameters, count_parameters
from goldsmith.train.estimate.shapes import Shape, shape_of
from goldsmith.train.estimate.workload import Workload, assumed_workload, file_workload

GIB = float(1 << 30)
FEW_STEPS, LARGE_BATCH = 50, 256
"""Fewer optimizer steps than this, in batches at least so large, are warned of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPlan:
    """One GPU's memory under one way to share the work.

    Attributes:
        sharding: how the GPUs share states.
        checkpointing: layers are computed again in the backward pass.
        components: bytes by name.
    """

    sharding: Sharding
    checkpointing: bool
    components: dict[str, int]

    @property
    def total(self) -> int:
        """Bytes in all."""
        return sum(self.components.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a run needs.

    Attributes:
        base: name of the base model.
        shape: its shape.
        parameters: of the reward model.
        config: the resolved configuration.
        precision: what `train.precision` comes to on a GPU that has bfloat16.
        max_length: tokens of a conversation at most.
        workload: the pairs.
        machine: the GPUs.
        steps: optimizer steps.
        passes: the passes that may be the largest.
        memory: one plan for each sharding, with and without checkpointing.
        cost: of the run as configured.
        cost_separate: the same with every conversation computed by itself.
    """

    base: str
    shape: Shape
    parameters: Parameters
    config: GoldsmithConfig
    precision: Precision
    max_length: int
    workload: Workload
    machine: Hardware
    steps: int
    passes: list[Pass]
    memory: list[MemoryPlan]
    cost: Cost
    cost_separate: Cost

    def plan(self, sharding: Sharding, *, checkpointing: bool) -> MemoryPlan:
        """Return the memory of one way to share the work."""
        return next(each for each in self.memory if (each.sharding, each.checkpointing) == (sharding, checkpointing))

    @property
    def chosen(self) -> MemoryPlan:
        """The memory of the run as configured."""
        return self.plan(self.config.train.sharding, checkpointing=self.config.train.gradient_checkpointing)

    @property
    def shardings(self) -> tuple[Sharding, ...]:
        """The ways to share the work that differ: one alone for one GPU."""
        return SHARDINGS if self.machine.gpus > 1 else (self.config.train.sharding,)

    def fits(self, plan: MemoryPlan) -> bool:
        """Whether a plan fits a GPU."""
        return plan.total <= self.machine.memory_gib * GIB

    def warnings(self) -> list[str]:
        """Return what the user should know before starting, each with what to do."""
        found = []
        if not self.fits(self.chosen):
            found.append(self._remedy())
        batch = self.config.train.batch_size
        if self.steps < FEW_STEPS and batch >= LARGE_BATCH:
            found.append(
                f"{self.steps} optimizer steps only: train.batch_size = {batch:,} is for larger pools; lower it"
                " (a recipe's /development settings have 256)"
            )
        if self.workload.cut:
            found.append(
                f"{self.workload.cut:,} conversations are longer than {self.max_length:,} tokens and will be cut (reward.max_length)"
            )
        return found

    def _remedy(self) -> str:
        fitting = [plan for plan in self.memory if self.fits(plan) and plan.sharding in self.shardings]
        needed = f"{self.chosen.total / GIB:.1f} GiB do not fit a GPU of {self.machine.memory_gib:g} GiB"
        if not fitting:
            return f"{needed}; nor does any sharding: more GPUs with fsdp2, a shorter reward.max_length, or train.method=lora"
        best = min(fitting, key=lambda plan: (plan.checkpointing, SHARDINGS.index(plan.sharding)))
        return (
            f"{needed}; this does: --set train.sharding={best.sharding} "
            f"--set train.gradient_checkpointing={str(best.checkpointing).lower()} ({best.total / GIB:.1f} GiB)"
        )

    def as_json(self) -> dict[str, Any]:
        """Return the estimate as JSON values; bytes, seconds and operations as numbers."""
        return {
            "base": self.base,
            "shape": asdict(self.shape),
            "parameters": {**asdict(self.parameters), "total": self.parameters.total},
            "train": self.config.train.model_dump(mode="json"),
            "precision": self.precision,
            "max_length": self.max_length,
            "workload": asdict(self.workload),
            "hardware": asdict(self.machine),
            "steps": self.steps,
            "memory": [{**asdict(plan), "total": plan.total, "fits": self.fits(plan)} for plan in self.memory],
            "cost": {**asdict(self.cost), "hours": self.cost.hours},
            "cost_separate": {**asdict(self.cost_separate), "hours": self.cost_separate.hours},
            "warnings": self.warnings(),
        }


def longest_conversation(shape: Shape, config: GoldsmithConfig) -> int:
    """Return the tokens of a conversation at most.

    Raises:
        UserError: `reward.max_length` is above the model's positions.
    """
    wanted = config.reward.max_length
    if wanted is not None and wanted > shape.positions:
        raise UserError(
            f"reward.max_length = {wanted:,} is above the model's {shape.positions:,} positions; lower it, or leave it unset"
        )
    return wanted or min(16_384, shape.positions)


def estimate_run(base: str, shape: Shape, config: GoldsmithConfig, workload: Workload, machine: Hardware) -> Estimate:
    """Return the estimate of a run.

    Args:
        base: name of the base model, for the report.
        shape: its shape.
        config: the configuration that would be trained with.
        workload: the pairs.
        machine: the GPUs.
    """
    train, budget = config.train, config.reward.token_budget
    precision = _precision(config)
    parameters = count_parameters(shape, train)
    passes = planned_passes(workload, budget, share=True)
    return Estimate(
        base=base,
        shape=shape,
        parameters=parameters,
        config=config,
        precision=precision,
        max_length=longest_conversation(shape, config),
        workload=workload,
        machine=machine,
        steps=num_steps(workload.pairs, train),
        passes=passes,
        memory=[
            MemoryPlan(
                sharding=sharding,
                checkpointing=again,
                components=peak_memory(shape, parameters, train, precision, sharding, machine.gpus, passes, checkpointing=again),
            )
            for sharding in SHARDINGS
            for again in (True, False)
        ],
        cost=run_cost(shape, parameters, train, workload, machine, share=True, token_budget=budget),
        cost_separate=run_cost(shape, parameters, train, workload, machine, share=False, token_budget=budget),
    )


def _precision(config: GoldsmithConfig) -> Precision:
    if config.train.precision != "auto":
        return config.train.precision
    return "float32" if config.reward.dtype == "float32" else "bf16-master32"


def estimate_training(
    config: GoldsmithConfig,
    machine: Hardware,
    *,
    pairs: str | Path | None = None,
    base: str | None = None,
    num_pairs: int | None = None,
    tokens_per_pair: int | None = None,
) -> Estimate:
    """Return the estimate of training on a file of pairs, or on an assumed pool; neither weights nor torch are needed.

    Args:
        config: the configuration that would be trained with.
        machine: the GPUs.
        pairs: a file of pairs in any known format; none: an assumed pool.
        base: the base model; none: `reward.base`.
        num_pairs: pairs of an assumed pool.
        tokens_per_pair: tokens of both conversations of a pair of an assumed pool, together.

    Raises:
        UserError: the model's shape is not known here, or neither a file nor a number of pairs is given.
    """
    name = base or config.reward.base
    shape = shape_of(name)
    longest = longest_conversation(shape, config)
    limit = config.train.max_pairs
    if pairs is not None:
        work = file_workload(pairs, longest, max_pairs=limit, base=name, max_line_mb=config.pool.max_line_mb)
    elif num_pairs is not None:
        work = assumed_workload(min(num_pairs, limit or num_pairs), tokens_per_pair, longest)
    else:
        raise UserError("nothing to estimate for: give a file of pairs, or --num-pairs")
    return estimate_run(name, shape, config, work, machine)
