"""The model that is trained: a classifier that gives the rewards of a batch, in the arithmetic that was asked for."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from goldsmith.reward.model import head_scores
from goldsmith.reward.packing import Batch
from goldsmith.reward.trunk import join_trunk, last_token, run_trunk, split_trunk, supports_packing
from goldsmith.train.precision import WorkingCopy
from goldsmith.train.recompute import keep_states, recompute_layers


class PairModel(nn.Module):
    """A classifier that gives the rewards of a batch, its frozen lower layers run without a gradient.

    Attributes:
        classifier: the whole model in float32, with adapters if there are any; its parameters are what the optimizer sees.
        working: the model that computes: `classifier` itself, or a bfloat16 copy of it.
        lower: frozen layers of `working` below the first trained one; None when everything is trained.
        upper: the rest of its trunk.
        packs: packed rows are exact on this trunk.
    """

    working: Any
    lower: Any
    upper: Any
    _copied: WorkingCopy | None

    def __init__(self, classifier: Any, frozen_layers: int, *, mixed: bool = False, recompute: bool = False) -> None:
        """Wrap a classifier.

        Args:
            classifier: float32, on the device it is to be trained on.
            frozen_layers: layers at the bottom without a trained parameter.
            mixed: compute in bfloat16.
            recompute: keep no inner states of the trained layers for the backward pass.
        """
        super().__init__()
        self.classifier = classifier
        copied = WorkingCopy(classifier) if mixed else None
        working = copied.classifier if copied else classifier
        trunk = getattr(working, working.base_model_prefix)
        parts = split_trunk(trunk, frozen_layers) if frozen_layers else (None, trunk)
        # Kept out of the module tree: they are other views of the classifier, or follow it.
        for name, value in (("_copied", copied), ("working", working), ("lower", parts[0]), ("upper", parts[1])):
            object.__setattr__(self, name, value)
        self.packs = supports_packing(classifier.config)
        self._recomputes = recompute
        if recompute:
            recompute_layers(self.upper)

    def refresh(self) -> None:
        """Let the computing model follow the optimizer's weights."""
        if self._copied is not None:
            self._copied.refresh()

    def train(self, mode: bool = True) -> PairModel:
        """Switch between training and evaluation, the computing model too."""
        self.working.train(mode)
        super().train(mode)
        return self

    def release(self) -> None:
        """Undo what was done to the classifier's layers, so that it is an ordinary model again."""
        # Other families keep their layers under other names, and nothing was done to them.
        if self._recomputes:
            keep_states(self.upper)
        if self.lower is not None:
            join_trunk(getattr(self.working, self.working.base_model_prefix))

    def frozen_states(self, batch: Batch) -> torch.Tensor | None:
        """Return what the frozen layers make of a batch, [B, L, D]; None when there are none."""
        if self.lower is None:
            return None
        with torch.no_grad():
            states: torch.Tensor = run_trunk(self.lower, batch).last_hidden_state
        return states

    def forward(self, batch: Batch, inputs_BLD: torch.Tensor | None = None) -> torch.Tensor:
        """Return the rewards of a batch, float32 [R], in the order of `batch.rows`.

        Args:
            batch: what to compute.
            inputs_BLD: what the frozen layers make of it, where that is known.
        """
        if inputs_BLD is None:
            inputs_BLD = self.frozen_states(batch)
        states_BLD = run_trunk(self.upper, batch, inputs_BLD).last_hidden_state
        return head_scores(last_token(states_BLD, batch), self.classifier.score.weight)
