"""bfloat16 arithmetic on float32 weights: a copy of the model computes, the original is what the optimizer moves.

The copy's parameters are bfloat16, and so are its states and gradients; norms and rotations compute inside in float32, as the models
themselves see to. The head is shared and float32, the loss is float32, and gradients are added up in float32. Without the float32
original, an update smaller than 1/256 of a weight would be rounded away.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import torch

    from goldsmith.reward.checkpoint import Dtype

Precision = Literal["auto", "float32", "bf16-master32"]


def is_mixed(precision: Precision, dtype: Dtype, device: Any) -> bool:
    """Return whether to compute in bfloat16; `auto` does where `dtype` comes to bfloat16 on this device."""
    import torch

    from goldsmith.reward.checkpoint import choose_dtype

    return precision == "bf16-master32" or (precision == "auto" and choose_dtype(dtype, device) == torch.bfloat16)


class WorkingCopy:
    """A bfloat16 copy of a float32 classifier.

    Attributes:
        classifier: the copy; its head is the original's.
    """

    def __init__(self, master: Any) -> None:
        import torch

        self.classifier = copy.deepcopy(master)
        self.classifier.score = master.score
        copies = dict(self.classifier.named_parameters())
        self._pairs = [
            (value, copies[name])
            for name, value in master.named_parameters()
            if copies[name] is not value and value.is_floating_point()
        ]
        # Parameters alone: buffers such as the frequencies of the rotary positions lose too much in bfloat16.
        for original, mine in self._pairs:
            mine.data = original.detach().to(torch.bfloat16)
            if original.requires_grad:
                mine.register_post_accumulate_grad_hook(_passes_on(original))

    def refresh(self) -> None:
        """Take over the original's weights, where they are trained."""
        import torch

        with torch.no_grad():
            for original, mine in self._pairs:
                if original.requires_grad:
                    mine.copy_(original)


def _passes_on(original: torch.Tensor) -> Any:
    def add(mine: torch.Tensor) -> None:
        """Add a gradient to the original's in float32, and free it."""
        assert mine.grad is not None
        gradient = mine.grad.float()
        mine.grad = None
        if original.grad is None:
            original.grad = gradient
        else:
            original.grad += gradient

    return add
