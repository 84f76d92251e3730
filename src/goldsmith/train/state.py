"""Saved state back from plain tensors by name: the optimizer's, and the random generators'."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from goldsmith.errors import UserError


def optimizer_states(
    tensors: Mapping[str, torch.Tensor], parameters: Sequence[nn.Parameter]
) -> dict[int, dict[str, torch.Tensor]]:
    """Return the optimizer's state of every parameter by number, from tensors named `<number>/<what>`.

    Raises:
        UserError: it is the state of other parameters.
    """
    states: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in tensors.items():
        number, key = name.split("/", 1)
        states.setdefault(int(number), {})[key] = value
    for place, values in states.items():
        wrong = place >= len(parameters) or values["exp_avg"].shape != parameters[place].shape
        if wrong:
            raise UserError(
                f"the checkpoint's optimizer state {place} does not fit this model's {len(parameters)} trained parameters; "
                "`--resume restart` begins anew"
            )
    return states


def random_states() -> dict[str, torch.Tensor]:
    """Return the states of torch's generators, the only ones training draws from."""
    states = {"cpu": torch.random.get_rng_state()}
    if torch.cuda.is_available():
        states |= {f"cuda-{index}": state for index, state in enumerate(torch.cuda.get_rng_state_all())}
    return states


def set_random_states(states: Mapping[str, torch.Tensor]) -> None:
    """Set the generators to what `random_states` returned; a device that is not there is left out."""
    for name, state in states.items():
        if name == "cpu":
            torch.random.set_rng_state(state)
        elif int(name.removeprefix("cuda-")) < torch.cuda.device_count():
            torch.cuda.set_rng_state(state, int(name.removeprefix("cuda-")))
