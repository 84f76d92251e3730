"""Memory of one GPU in training, by component, in bytes.

Symbols as in `docs/estimate.md`: D hidden, F intermediate, Q all query heads together, K all key heads together, T tokens of a pass.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from goldsmith.config.train import TrainConfig
from goldsmith.train.estimate.parameters import Parameters, adapted_layers
from goldsmith.train.estimate.shapes import Shape
from goldsmith.train.estimate.workload import PairLength, Workload

Precision = Literal["float32", "bf16-master32"]
Sharding = Literal["none", "zero1", "fsdp2"]
Device = Literal["cuda", "cpu"]
SHARDINGS: tuple[Sharding, ...] = ("none", "zero1", "fsdp2")

RUNTIME_BYTES = 1 << 30
"""Driver context, kernels and fragmentation of one GPU; assumed."""
FLOAT32 = 4
ADAM_BYTES = 8
"""Two float32 averages for each trained parameter."""
GATHERED_LAYERS = 2
"""Layers whose weights are whole at a time under FSDP2: the one that computes, and the next one on its way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """What one forward and backward pass computes as one packed row.

    Attributes:
        tokens: tokens computed.
        replies: conversations scored.
    """

    tokens: int
    replies: int


def pass_of(pairs: Sequence[PairLength], *, share: bool) -> Pass:
    """Return the pass of some pairs, their contexts computed once each or once for each reply."""
    tokens = sum(pair.shared if share else pair.separate for pair in pairs)
    return Pass(tokens=tokens, replies=2 * len(pairs))


def planned_passes(workload: Workload, token_budget: int, *, share: bool) -> list[Pass]:
    """Return the passes that may be the largest: as many mean pairs as the budget takes, and the longest pair alone."""
    tokens = workload.mean.shared if share else workload.mean.separate
    full = max(1, token_budget // max(1, tokens))
    return [pass_of([workload.mean] * full, share=share), pass_of([workload.longest], share=share)]


def element_bytes(precision: Precision) -> int:
    """Return the bytes of an activation."""
    return FLOAT32 if precision == "float32" else 2


def layer_bytes(shape: Shape, precision: Precision) -> int:
    """Return the bytes that one layer keeps for the backward pass, for each token; tensors that transformers' modules save.

    Each of the two norms keeps its input in float32, the normalised input, and its output, which the maps behind it share. Attention
    keeps queries, keys, values and output; the feed-forward part its two products, the activation and their product. Norms of heads
    keep their input in float32 and the normalised input.
    """
    each = element_bytes(precision)
    kept = 2 * shape.hidden * (FLOAT32 + 2 * each)
    kept += each * (4 * shape.intermediate + 2 * shape.queries + 2 * shape.keys)
    small = FLOAT32 * (2 + shape.heads)
    if shape.family == "qwen3":
        kept += (shape.queries + shape.keys) * (FLOAT32 + each)
        small += FLOAT32 * (shape.heads + shape.kv_heads)
    return kept + small


def mask_bytes(work: Pass, device: Device) -> int:
    """Return what packing keeps beyond `layer_bytes`, all layers together: numbers of visible blocks of 128 x 128 on CUDA, nothing on a CPU."""
    return 16 * math.ceil(work.tokens / 128) ** 2 if device == "cuda" else 0


def activation_bytes(
    shape: Shape, precision: Precision, work: Pass, *, layers: int, checkpointing: bool, device: Device = "cuda"
) -> dict[str, int]:
    """Return the memory of a pass by component.

    Args:
        shape: of the model.
        precision: of the arithmetic.
        work: the pass.
        layers: layers that have a backward pass.
        checkpointing: keep each layer's input alone, and compute the layer again in the backward pass.
        device: where it runs; decides whether there is a mask.
    """
    each = element_bytes(precision)
    whole = min(layers, 1) if checkpointing else layers
    inputs = layers * each * shape.hidden if checkpointing else 0
    ends = shape.hidden * (FLOAT32 + 2 * each) + 2 * each * shape.head_dim
    return {
        "activations": work.tokens * (inputs + whole * layer_bytes(shape, precision) + ends),
        "packing": mask_bytes(work, device),
        "working space of a layer": work.tokens * (3 * each * shape.intermediate + 2 * FLOAT32 * shape.hidden),
        "head": work.replies * FLOAT32 * (shape.hidden + 1),
    }


def state_bytes(shape: Shape, parameters: Parameters, precision: Precision, sharding: Sharding, gpus: int) -> dict[str, int]:
    """Return the memory of weights, gradients and optimizer state of one GPU by component.

    Under `bf16-master32` the float32 weights are the ones Adam moves, a bfloat16 copy computes, and gradients are added up in float32.
    """
    layer = parameters.matrices // shape.layers
    split = gpus if sharding == "fsdp2" else 1
    whole = FLOAT32 * parameters.total
    gathered = (GATHERED_LAYERS * layer + parameters.embedding) if split > 1 else 0
    is_bf16 = precision == "bf16-master32"
    copies = 2 * (gathered if split > 1 else parameters.total)
    return {
        "weights": copies if is_bf16 else math.ceil(whole / split) + FLOAT32 * gathered,
        "float32 master weights": math.ceil(whole / split) if is_bf16 else 0,
        "gradients": math.ceil(FLOAT32 * parameters.trained / split) + (FLOAT32 * layer if split > 1 else 0),
        "optimizer state": math.ceil(ADAM_BYTES * parameters.trained / (1 if sharding == "none" else gpus)),
    }


def peak_memory(
    shape: Shape,
    parameters: Parameters,
    config: TrainConfig,
    precision: Precision,
    sharding: Sharding,
    gpus: int,
    passes: Sequence[Pass],
    *,
    checkpointing: bool,
    device: Device = "cuda",
) -> dict[str, int]:
    """Return one GPU's memory by component under the largest of some passes."""
    layers = adapted_layers(shape, config)
    largest = max(
        (activation_bytes(shape, precision, work, layers=layers, checkpointing=checkpointing, device=device) for work in passes),
        key=lambda parts: sum(parts.values()),
    )
    last = embedding_bytes(parameters, config) - sum(largest.values())
    return {
        **state_bytes(shape, parameters, precision, sharding, gpus),
        **largest,
        "end of the backward pass, beyond these": max(0, last),
        "runtime": RUNTIME_BYTES,
    }


def embedding_bytes(parameters: Parameters, config: TrainConfig) -> int:
    """Return the working space of the largest gradient, the embedding's, at the end of a backward pass, when activations are gone.

    Testing it for values that are not finite takes a float32 copy and three masks; adding it to an earlier one takes less.
    """
    return (FLOAT32 + 3) * parameters.embedding if config.method == "full" else 0
