"""The optimizer's and the random generators' state as plain tensors by name, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from goldsmith.errors import UserError


def optimizer_tensors(optimizer: Any) -> dict[str, torch.Tensor]:
    """Return the state of every parameter, named `<number>/<what>`; settings are not part of it, the configuration has them."""
    state = optimizer.state_dict()["state"]
    return {f"{number}/{key}": torch.as_tensor(value) for number, values in state.items() for key, value in values.items()}


def load_optimizer(optimizer: Any, tensors: Mapping[str, torch.Tensor]) -> None:
    """Give an optimizer the state that `optimizer_tensors` took.

    Raises:
        UserError: it is the state of other parameters.
    """
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in tensors.items():
        number, key = name.split("/", 1)
        state.setdefault(int(number), {})[key] = value
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for place, values in state.items():
        wrong = place >= len(parameters) or values["exp_avg"].shape != parameters[place].shape
        if wrong:
            raise UserError(
                f"the checkpoint's optimizer state {place} does not fit this model's {len(parameters)} trained parameters; "
                "`--resume restart` begins anew"
            )
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


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
