"""Graphs of ONNX Runtime and OpenVINO that `goldsmith export` wrote: padded batches of whole conversations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from goldsmith.errors import UserError
from goldsmith.reward.checkpoint import locate
from goldsmith.reward.exported import ExportedModel
from goldsmith.reward.manifest import Manifest
from goldsmith.reward.packing import Group, plan_batches
from goldsmith.reward.roundtrip import FIXED_PROBES
from goldsmith.serve.engines import EngineSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BUDGET = 1024
"""Tokens of a batch: on a CPU, more of them cost more and gain nothing."""


class ExportedEngine:
    """One exported model; see `Engine`."""

    shares = False

    def __init__(self, spec: EngineSpec, manifest: Manifest) -> None:
        """Load the graph.

        Raises:
            UserError: see `ExportedModel.open`; a pooling other than the export's is asked for.
        """
        folder = locate(spec.path)
        budget = spec.token_budget or BUDGET
        self._model = ExportedModel.open(
            Path(folder), manifest, max_length=spec.max_length, token_budget=budget, threads=spec.threads
        )
        if spec.pooling not in (None, self._model.pooling):
            raise UserError(
                f"{folder}: was exported with pooling {self._model.pooling!r}, not {spec.pooling!r}; leave --pooling out"
            )
        self.computed = self.reused = 0
        probes = [list(self._model.render(reply).ids) for reply in FIXED_PROBES]
        self.facts: dict[str, Any] = {**self._model.facts(), "token_budget": budget, "probes": probes, "shares": self.shares}

    def logits(self, groups: Sequence[Group]) -> dict[int, NDArray[np.float32]]:
        """Return each row's raw logits, float32 [1 + K]."""
        found: dict[int, NDArray[np.float32]] = {}
        for batch in plan_batches(groups, self._model.token_budget, packed=False):
            found |= self._model.logits(batch)
            self.computed += len(batch) * max(group.tokens for group in batch)
        return found
