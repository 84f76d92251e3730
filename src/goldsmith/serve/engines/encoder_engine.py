"""PyTorch for encoders: padded batches of sequences of about one length, as attention in both directions shares no beginnings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

import torch

from goldsmith.reward.checkpoint import Dtype
from goldsmith.reward.encoder import EncoderModel
from goldsmith.serve.engines import EngineSpec
from goldsmith.serve.share import Ids

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from goldsmith.reward.packing import Group

CPU_BUDGET, GPU_BUDGET = 4096, 65_536
SHORTEST_SHARE = 0.8
"""A batch's shortest sequence against its longest: what is shorter is cheaper in a batch of its own than padded."""
PROBES = (("What is 2 + 2?", "4"), ("What is 2 + 2?", "I would rather not say."))


class EncoderEngine:
    """One encoder in PyTorch; see `Engine`."""

    def __init__(self, spec: EngineSpec) -> None:
        """Load the model.

        Raises:
            UserError: see `EncoderModel.load`.
        """
        torch.set_num_threads(spec.threads)
        self._model = EncoderModel.load(spec.path, max_length=spec.max_length, dtype=cast(Dtype, spec.dtype))
        renderer = self._model.renderer
        self.shares = False
        self.computed = self.reused = 0
        self._budget = spec.token_budget or (CPU_BUDGET if self._model.device.type == "cpu" else GPU_BUDGET)
        self.facts: dict[str, Any] = {
            "model_digest": self._model.digest,
            "dtype": str(self._model.classifier.dtype).removeprefix("torch."),
            "max_length": renderer.max_length,
            "heads": 0,
            "template_inserts": "",
            "token_budget": self._budget,
            "engine": "torch",
            "shares": False,
            "probes": [list(renderer.pair([{"role": "user", "content": one}], two).ids) for one, two in PROBES],
        }

    def logits(self, groups: Sequence[Group]) -> dict[int, NDArray[np.float32]]:
        """Return each row's raw logit, float32 [1]."""
        whole = [(group.prefix + ids, row) for group in groups for ids, row in zip(group.suffixes, group.rows, strict=True)]
        found: dict[int, NDArray[np.float32]] = {}
        for batch in batches(whole, self._budget):
            scores = self._model.logits([ids for ids, _ in batch])
            self.computed += len(batch) * len(batch[0][0])
            found.update({row: scores[place : place + 1] for place, (_, row) in enumerate(batch)})
        return found


def batches(rows: Sequence[tuple[Ids, int]], budget: int) -> Iterator[list[tuple[Ids, int]]]:
    """Yield batches of about one length within an area, longest first."""
    batch: list[tuple[Ids, int]] = []
    for ids, row in sorted(rows, key=lambda entry: len(entry[0]), reverse=True):
        longest = len(batch[0][0]) if batch else 0
        if batch and (len(ids) < SHORTEST_SHARE * longest or (len(batch) + 1) * longest > budget):
            yield batch
            batch = []
        batch.append((ids, row))
    if batch:
        yield batch
