"""Fully sharded data parallelism (torch's `fully_shard`): of every weight, its gradient and its optimizer state each process holds a part.

A layer's weights are gathered for its forward pass and again for its backward pass, so all processes must compute equally many pieces.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from goldsmith.train.sharding import Sharding


class Fsdp2(Sharding):
    """Every layer, the embeddings and the rest of the model (final norm and head, always float32) are gathered on their own."""

    even = True
    keeps_whole = False

    def place(self, model: Any, device: Any, *, mixed: bool) -> None:
        """Split a model's weights among the processes; only the own part goes to the device."""
        mesh = init_device_mesh(device.type, (self.processes.size,))
        arithmetic = (
            MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32) if mixed else MixedPrecisionPolicy()
        )
        trunk = getattr(model.classifier, model.classifier.base_model_prefix)
        for part in (trunk.get_input_embeddings(), *trunk.layers):
            fully_shard(part, mesh=mesh, mp_policy=arithmetic, reshard_after_forward=True)
        # Torch keeps the root's weights gathered between the passes unless told; what is saved would then be no part but all of them.
        fully_shard(model, mesh=mesh, reshard_after_forward=True)
        for part in model.modules():
            if isinstance(part, FSDPModule):
                # Sums, not means; plain ones, which gloo can do too.
                part.set_gradient_divide_factor(1.0)
                part.set_force_sum_reduction_for_comms(True)

    def whole(self, tensor: Tensor) -> Tensor | None:
        """Return a tensor in one piece in the memory of the first process, None on the others."""
        held = tensor.detach()
        full: Tensor = held.full_tensor() if isinstance(held, DTensor) else held
        return full.cpu() if self.processes.is_first else None

    def part(self, value: Tensor, like: Tensor) -> Tensor:
        """Return this process's part of a whole tensor, cut as a parameter is; every process has the whole, so nothing is sent."""
        assert isinstance(like, DTensor)
        return distribute_tensor(value.to(like.device), like.device_mesh, like.placements, src_data_rank=None)
