"""How the processes of a run share weights, gradients and the optimizer's state.

Three ways, one interface: `Sharding` (nothing is shared: one process), `Zero1` and `Fsdp2`. In each the gradient of a step is the SUM
of what the processes computed, as every loss is divided by the weight of the whole step already.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from goldsmith.train.processes import Processes

if TYPE_CHECKING:
    from torch import Tensor, nn


class Sharding:
    """Everything is whole on every process.

    Attributes:
        processes: this one among all.
        even: every process must compute equally many pieces, because each computation is a joint one.
        keeps_whole: the model stays an ordinary one on every process.
    """

    even = False
    keeps_whole = True

    def __init__(self, processes: Processes | None = None) -> None:
        self.processes = processes or Processes()
        self._order: list[nn.Parameter] = []

    def place(self, model: Any, device: Any, *, mixed: bool) -> None:
        """Bring a `PairModel` to its device.

        Args:
            model: on the CPU.
            device: of this process.
            mixed: compute in bfloat16.
        """
        model.to(device)

    def adopt(self, optimizer: Any) -> None:
        """Take over a fresh optimizer of all trained parameters."""
        self._order = parameters_of(optimizer)

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Add up the gradients of all processes, where the backward pass has not done so."""

    def whole(self, tensor: Tensor) -> Tensor | None:
        """Return a tensor in one piece on the first process; on the others it may be None. All have to call it."""
        return tensor

    def part(self, value: Tensor, like: Tensor) -> Tensor:
        """Return of a whole tensor what `like`, a parameter, holds here of its own."""
        return value

    def optimizer_tensors(self, optimizer: Any) -> dict[str, Tensor]:
        """Return the optimizer's state as `<number>/<what>`, whole on the first process; numbers count all trained parameters.

        So a checkpoint is the same, however many processes wrote it.
        """
        import torch

        found = {}
        for number, parameter in enumerate(self._order):
            for key, value in self._state(optimizer, parameter).items():
                tensor = self.whole(torch.as_tensor(value))
                if tensor is not None:
                    found[f"{number}/{key}"] = tensor
        return found

    def load_optimizer(self, optimizer: Any, states: Mapping[int, Mapping[str, Tensor]]) -> None:
        """Give the optimizer the state of the parameters it holds here, by number among all."""
        numbers = {id(parameter): number for number, parameter in enumerate(self._order)}
        local = {}
        for place, parameter in enumerate(parameters_of(optimizer)):
            values = states.get(numbers[id(parameter)])
            if values is not None:
                local[place] = {
                    key: self.part(value, parameter) if value.shape == parameter.shape and value.ndim else value
                    for key, value in values.items()
                }
        optimizer.load_state_dict({"state": local, "param_groups": optimizer.state_dict()["param_groups"]})

    @property
    def trained(self) -> Sequence[nn.Parameter]:
        """All trained parameters, in the order of their numbers."""
        return self._order

    def _state(self, optimizer: Any, parameter: nn.Parameter) -> Mapping[str, Any]:
        state: Mapping[str, Any] = optimizer.state.get(parameter, {})
        return state


def make_sharding(kind: Literal["none", "zero1", "fsdp2"], processes: Processes) -> Sharding:
    """Return the sharding of a configuration."""
    if kind == "zero1":
        from goldsmith.train.zero1 import Zero1

        return Zero1(processes)
    if kind == "fsdp2":
        from goldsmith.train.fsdp2 import Fsdp2

        return Fsdp2(processes)
    return Sharding(processes)


def parameters_of(optimizer: Any) -> list[nn.Parameter]:
    """Return the parameters of an optimizer in the order its state is numbered."""
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]
