"""ZeRO, stage 1 (Rajbhandari et al., 2020): every process holds weights and gradients, and the optimizer's state of some parameters only.

Each parameter has an owner. Gradients are added up on all processes, the owner moves its parameters, and sends them to the others.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist

from goldsmith.train.processes import Processes
from goldsmith.train.sharding import Sharding

if TYPE_CHECKING:
    from torch import Tensor, nn

BUCKET = 1 << 24
"""Numbers that travel together at most: 64 MB in float32, beside the gradients themselves."""
MOMENTS = ("exp_avg", "exp_avg_sq")


class Zero1(Sharding):
    """AdamW's state is split by parameter, the largest first to the process with the fewest numbers."""

    def __init__(self, processes: Processes) -> None:
        super().__init__(processes)
        self._owner: dict[int, int] = {}

    def adopt(self, optimizer: Any) -> None:
        """Leave to the optimizer the parameters this process owns, and send them round after each of its steps."""
        super().adopt(optimizer)
        self._owner = dict(
            zip(map(id, self._order), owners([value.numel() for value in self._order], self.processes.size), strict=True)
        )
        for group in optimizer.param_groups:
            group["params"] = [value for value in group["params"] if self._owner[id(value)] == self.processes.rank]
        optimizer.register_step_post_hook(lambda *_: self._send_round())

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Add up the gradients of all processes; one without a gradient gives zeros."""
        gradients = []
        for parameter in parameters:
            if parameter.requires_grad:
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
                gradients.append(parameter.grad)
        together(gradients, dist.all_reduce)

    def _send_round(self) -> None:
        for rank in range(self.processes.size):
            owned = [value.detach() for value in self._order if self._owner[id(value)] == rank]
            together(owned, functools.partial(dist.broadcast, src=rank))

    def _state(self, optimizer: Any, parameter: nn.Parameter) -> Mapping[str, Any]:
        """Return the state of a parameter, on the first process also of one that it does not own."""
        owner = self._owner[id(parameter)]
        is_mine, is_first = owner == self.processes.rank, self.processes.is_first
        if owner == 0 or not (is_mine or is_first):
            return super()._state(optimizer, parameter) if is_first else {}
        mine = super()._state(optimizer, parameter)
        found = {}
        for key in ("step", *MOMENTS):
            like = torch.zeros((), dtype=torch.float32) if key == "step" else parameter
            if is_first:
                found[key] = torch.empty_like(like, requires_grad=False)
                dist.recv(found[key], owner)
            else:
                dist.send(mine[key].to(like.device).contiguous(), 0)
        return found


def owners(sizes: Sequence[int], size: int) -> list[int]:
    """Return the owner of each parameter, so that all hold about equally many numbers."""
    loads, found = [0] * size, [0] * len(sizes)
    for place in sorted(range(len(sizes)), key=lambda at: (-sizes[at], at)):
        found[place] = min(range(size), key=lambda process: (loads[process], process))
        loads[found[place]] += sizes[place]
    return found


def together(tensors: Sequence[Tensor], send: Callable[[Tensor], Any]) -> None:
    """Do something in place to many tensors as if they were few, in the same order on every process."""
    batch: list[Tensor] = []
    numbers = 0
    for tensor in tensors:
        if batch and (numbers + tensor.numel() > BUCKET or tensor.dtype != batch[0].dtype):
            _flat(batch, send)
            batch, numbers = [], 0
        batch.append(tensor)
        numbers += tensor.numel()
    if batch:
        _flat(batch, send)


def _flat(tensors: Sequence[Tensor], send: Callable[[Tensor], Any]) -> None:
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
    send(flat)
    for tensor, part in zip(tensors, flat.split_with_sizes([tensor.numel() for tensor in tensors]), strict=True):
        tensor.copy_(part.view_as(tensor))
