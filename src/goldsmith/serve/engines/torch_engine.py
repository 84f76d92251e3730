"""PyTorch: the one scoring path of `goldsmith.reward`, with the states of earlier conversations kept between requests.

Shapes: L layers, G key-value heads, N tokens, E numbers a head, R replies.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import torch

from goldsmith.reward.attention import Layout, PrefixCache, Segment
from goldsmith.reward.checkpoint import Dtype
from goldsmith.reward.model import RewardModel
from goldsmith.reward.packing import Batch, Group, collate
from goldsmith.reward.readout import Pooling
from goldsmith.reward.roundtrip import FIXED_PROBES
from goldsmith.reward.trunk import last_token, run_trunk
from goldsmith.serve.engines import EngineSpec
from goldsmith.serve.prefix_cache import PrefixTree
from goldsmith.serve.share import Ids

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CPU_BUDGET, GPU_BUDGET = 1024, 16_384
WORTH = 64
"""Tokens that may be computed again in each member of a group rather than in a pass of their own."""


@dataclass(slots=True)
class _Part:
    """One segment of a row, and the sequence it belongs to."""

    whole: Ids
    """The ids up to the segment's end."""
    begin: int
    segment: Segment
    row: int | None
    """Place of the sequence whose end this is."""


class TorchEngine:
    """One model in PyTorch; see `Engine`."""

    def __init__(self, spec: EngineSpec) -> None:
        """Load the model.

        Raises:
            UserError: see `RewardModel.load`.
        """
        torch.set_num_threads(spec.threads)
        self._model = RewardModel.load(
            spec.path,
            max_length=spec.max_length,
            dtype=cast(Dtype, spec.dtype),
            pooling=cast("Pooling | None", spec.pooling),
            remote_code=spec.remote_code,
        )
        self._device = self._model.classifier.score.weight.device
        budget = spec.token_budget or (CPU_BUDGET if self._device.type == "cpu" else GPU_BUDGET)
        self.shares = self._model.packs
        self.computed = self.reused = 0
        self._tree = self._new_tree(spec.prefix_cache_mb) if self.shares else None
        probes = [list(self._model.render(reply).ids) for reply in FIXED_PROBES]
        self.facts: dict[str, Any] = {
            **self._model.facts(),
            "token_budget": budget,
            "engine": "torch",
            "probes": probes,
            "shares": self.shares,
        }

    def logits(self, groups: Sequence[Group]) -> dict[int, NDArray[np.float32]]:
        """Return each row's raw logits, float32 [1 + K]."""
        with torch.inference_mode():
            if not self.shares:
                return self._padded(groups)
            parts: list[_Part] = []
            for group, cache in self._with_prefixes(groups):
                parts += _parts(group, cache, len(parts))
            return self._row(parts)

    def _padded(self, groups: Sequence[Group]) -> dict[int, NDArray[np.float32]]:
        batch = collate(groups, self._model.renderer.pad_id, packed=False, device=self._device)
        self.computed += int(batch.ids_BL.numel())
        return dict(zip(batch.rows, self._heads(batch), strict=True))

    def _with_prefixes(self, groups: Sequence[Group]) -> list[tuple[Group, PrefixCache | None]]:
        """Return the groups with the cache their members stand on, none where the prefix is computed in the row itself."""
        ready: list[tuple[Group, PrefixCache | None]] = []
        late: list[tuple[Group, int, PrefixCache]] = []
        for group in groups:
            known, cache = self._known(group)
            again = (len(group.prefix) - known) * (len(group.rows) - 1)
            if again <= WORTH or not known:
                ready.append((_moved(group, known), cache) if known else (group, None))
            elif known < len(group.prefix) // 4:
                ready.append((group, None))
            else:
                late.append((group, known, cast(PrefixCache, cache)))
        if late:
            self._row([_rest(group, known, cache) for group, known, cache in late])
            for group, _, _ in late:
                known, cache = self._known(group)
                ready.append((_moved(group, known), cache) if known else (group, None))
        return ready

    def _known(self, group: Group) -> tuple[int, PrefixCache | None]:
        if self._tree is None:
            return 0, None
        whole = group.prefix if len(group.rows) > 1 else group.prefix + group.suffixes[0][:-1]
        known, states = self._tree.match(whole)
        if states is None:
            return 0, None
        return known, PrefixCache({layer: (pair[0][None], pair[1][None]) for layer, pair in enumerate(states)})

    def _row(self, parts: list[_Part]) -> dict[int, NDArray[np.float32]]:
        """Compute one row and keep its states."""
        ids = [token for part in parts for token in part.whole[part.begin :]]
        positions = [place for part in parts for place in range(part.begin, len(part.whole))]
        ends, stop = [], 0
        for part in parts:
            stop += part.segment.length
            ends.append(stop)
        batch = Batch(
            ids_BL=torch.tensor([ids], device=self._device),
            positions_BL=torch.tensor([positions], device=self._device),
            mask_BL=None,
            layout=Layout(tuple(part.segment for part in parts)),
            rows=tuple(part.row for part in parts if part.row is not None),
            spans=tuple((end - 1, end) for part, end in zip(parts, ends, strict=True) if part.row is not None),
            tokens_N=torch.arange(len(ids), device=self._device),
        )
        self.computed += len(ids)
        self.reused += sum(part.segment.before for part in parts if part.segment.reads is not None)
        found = dict(zip(batch.rows, self._heads(batch), strict=True))
        self._keep(parts)
        return found

    def _heads(self, batch: Batch) -> NDArray[np.float32]:
        states_BLD = run_trunk(self._model.trunk, batch).last_hidden_state
        if not batch.spans:
            return torch.empty((0, 1)).numpy()
        return self._model.heads(last_token(states_BLD, batch)).cpu().numpy()

    def _keep(self, parts: Sequence[_Part]) -> None:
        for part in parts:
            filled = part.segment.fills
            if self._tree is not None and filled is not None:
                layers = [torch.stack(filled.layers[layer]).squeeze(1) for layer in sorted(filled.layers)]
                self._tree.insert(part.whole, part.begin, torch.stack(layers))

    def _new_tree(self, megabytes: int) -> PrefixTree | None:
        config = self._model.trunk.config.get_text_config()
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        bytes_a_token = 2 * config.num_hidden_layers * heads * width * self._model.trunk.dtype.itemsize
        tokens = (megabytes << 20) // bytes_a_token
        return PrefixTree(tokens) if tokens else None


def _moved(group: Group, length: int) -> Group:
    """Return a group whose prefix has another length: shorter, or longer where it has one member."""
    whole = [group.prefix + suffix for suffix in group.suffixes]
    return replace(group, prefix=whole[0][:length], suffixes=tuple(ids[length:] for ids in whole))


def _rest(group: Group, known: int, cache: PrefixCache) -> _Part:
    """Return what is missing of a prefix, as a segment on what is known of it."""
    length = len(group.prefix) - known
    return _Part(group.prefix, known, Segment(length, fills=PrefixCache(), reads=cache, before=known), None)


def _parts(group: Group, cache: PrefixCache | None, number: int) -> Iterator[_Part]:
    """Yield a group's segments, the first of which gets `number` in its row."""
    before = len(group.prefix)
    if before and cache is None:
        yield _Part(group.prefix, 0, Segment(before, fills=PrefixCache()), None)
    for suffix, row in zip(group.suffixes, group.rows, strict=True):
        parent = number if before and cache is None else None
        segment = Segment(len(suffix), parent=parent, fills=PrefixCache(), reads=cache, before=before)
        yield _Part(group.prefix + suffix, before, segment, row)
