"""Arithmetic and communication of a training run, and how long they take."""

from __future__ import annotations

import math
from dataclasses import dataclass

from goldsmith.config.train import TrainConfig
from goldsmith.train.estimate.hardware import Hardware
from goldsmith.train.estimate.memory import FLOAT32, Sharding
from goldsmith.train.estimate.parameters import Parameters, adapted_layers
from goldsmith.train.estimate.shapes import Shape
from goldsmith.train.estimate.workload import Workload

SECONDS_PER_HOUR = 3600.0
FEATURES = 3
"""Vectors of hidden width that the feature cache keeps of each reply (`goldsmith.reward.features`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Work and time of a whole run.

    Attributes:
        tokens: computed in all epochs.
        flops: floating-point operations, recomputed layers and the features of the first head included.
        feature_bytes: features of the first head, on disk.
        compute_s: seconds of arithmetic, all GPUs working at once.
        communication_s: seconds of exchanging gradients (and weights), as if nothing of it overlapped with arithmetic.
        gpu_hours: both, times the number of GPUs.
    """

    tokens: int
    flops: float
    feature_bytes: int
    compute_s: float
    communication_s: float
    gpu_hours: float

    @property
    def hours(self) -> float:
        """Hours from start to end."""
        return (self.compute_s + self.communication_s) / SECONDS_PER_HOUR


def num_steps(pairs: int, config: TrainConfig) -> int:
    """Return the optimizer steps of a run; a few more are made where contexts of several pairs do not fill a batch."""
    return math.ceil(pairs / config.batch_size) * config.epochs


def forward_flops(shape: Shape, parameters: Parameters, tokens: int, attended: int) -> float:
    """Return the operations of a forward pass: 2 for each matrix parameter and token, 4 for each attended pair and query width."""
    return 2.0 * parameters.matrices * tokens + 4.0 * shape.layers * shape.queries * attended


def training_factor(shape: Shape, config: TrainConfig) -> float:
    """Return how many forward passes a training pass is worth.

    `full`: the forward pass and twice as much backward, for inputs and for weights. `lora`: adapted layers have no gradient of
    weights to speak of (2), layers below run forward only (1). `head`: 1. Checkpointing adds one pass of the trained layers.
    """
    if config.method == "head":
        return 1.0
    again = 1.0 if config.gradient_checkpointing else 0.0
    if config.method == "full":
        return 3.0 + again
    adapted = adapted_layers(shape, config) / shape.layers
    return 1.0 + adapted * (1.0 + again)


def communicated_bytes(parameters: Parameters, sharding: Sharding, gpus: int, passes: int) -> float:
    """Return what one GPU sends in a step: float32 gradients reduced and results spread.

    ZeRO-1 then spreads the updated float32 weights from the process that owns them; FSDP2 gathers weights twice a pass.
    """
    share = (gpus - 1) / gpus
    if sharding == "fsdp2":
        return share * passes * (2 * 2 * parameters.total + FLOAT32 * parameters.trained)
    return share * (3 if sharding == "zero1" else 2) * FLOAT32 * parameters.trained


def run_cost(
    shape: Shape,
    parameters: Parameters,
    config: TrainConfig,
    workload: Workload,
    machine: Hardware,
    *,
    share: bool,
    token_budget: int,
) -> Cost:
    """Return the cost of a run.

    Args:
        shape: of the model.
        parameters: of the model.
        config: method, batch size, epochs, sharding.
        workload: the pairs.
        machine: GPUs and how well they are used.
        share: compute a context once for both replies, as Goldsmith does, and first the features that its first head is fitted on.
        token_budget: tokens of one pass; decides how often FSDP2 gathers the weights.
    """
    tokens, pairs = (workload.shared, workload.attended_shared) if share else (workload.separate, workload.attended_separate)
    forward = forward_flops(shape, parameters, tokens, pairs)
    first = forward if share and config.method != "head" else 0.0
    flops = config.epochs * training_factor(shape, config) * forward + first
    steps = num_steps(workload.pairs, config)
    passes = max(1, math.ceil(config.epochs * tokens / max(1, steps) / machine.gpus / token_budget))
    sent = communicated_bytes(parameters, config.sharding, machine.gpus, passes) * steps
    compute_s = flops / (machine.gpus * machine.peak_tflops * 1e12 * machine.utilisation)
    communication_s = sent / (machine.bandwidth_gb_s * 1e9)
    return Cost(
        tokens=config.epochs * tokens,
        flops=flops,
        feature_bytes=2 * workload.pairs * FEATURES * shape.hidden * FLOAT32 if share else 0,
        compute_s=compute_s,
        communication_s=communication_s,
        gpu_hours=machine.gpus * (compute_s + communication_s) / SECONDS_PER_HOUR,
    )
