"""Frozen trunk features of replies, computed once and kept on disk.

One forward pass gives both readouts, of D numbers a layer: `last` is the last layer after the final norm at the last token, which is what
a standard classification head reads, so a head fitted on it can be exported; `layers` is the mean over the reply's tokens of two inner
layers, which predicts preferences far better under a linear head (design/LOG-head.md) but has no standard checkpoint format.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from zipfile import BadZipFile

import numpy as np

from goldsmith.config.reward import RewardConfig
from goldsmith.errors import DataError, StoreError
from goldsmith.identity import combined_digest, digest
from goldsmith.reward.backbone import Backbone, load_backbone
from goldsmith.reward.grouping import Progress, Reply, group_replies
from goldsmith.reward.packing import Batch, Group, collate, plan_batches
from goldsmith.reward.render import Renderer
from goldsmith.reward.trunk import last_token, run_trunk
from goldsmith.store.atomic import write_bytes

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

Readout = Literal["last", "layers"]
FORMAT = 2
"""Version of what a vector holds and of the files; another version is another cache folder."""
MEAN_DEPTHS = (0.5, 0.87)
"""Depths, as shares of the layers, whose states are averaged over the reply: best of those tried on two real sets."""
COMMIT_SECONDS = 20.0
"""Computed features are written this often; a kill loses no more."""


class FeatureStore:
    """Turns replies into feature vectors with a frozen trunk, and remembers them in a cache folder; the model loads on first use."""

    def __init__(self, config: RewardConfig, cache: Path | None) -> None:
        """Say which base model is read and how.

        Args:
            config: base model, length, arithmetic, token budget.
            cache: folder of caches, one subfolder for each way of computing a vector; none: nothing is kept.
        """
        self.config, self.cache = config, cache

    @cached_property
    def backbone(self) -> Backbone:
        """The base model.

        Raises:
            UserError: see `load_backbone`.
        """
        return load_backbone(self.config)

    @property
    def renderer(self) -> Renderer:
        """What renders the replies, and counts those that were cut."""
        return self.backbone.renderer

    @property
    def hidden(self) -> int:
        """D, the width of a hidden state."""
        return int(self.backbone.config.get_text_config().hidden_size)

    @cached_property
    def digest(self) -> str:
        """A name for everything that decides a vector; the cache's subfolder is called after it."""
        renderer, trunk = self.renderer, self.backbone.trunk
        return digest(
            [FORMAT, self.backbone.digest, renderer.max_length, renderer.truncation_side, list(MEAN_DEPTHS), str(trunk.dtype)]
        )

    @cached_property
    def folder(self) -> Path | None:
        """Where the shards of this way of computing are."""
        return self.cache / self.digest[:32] if self.cache is not None else None

    def width(self, readout: Readout) -> int:
        """Return the numbers of a feature vector."""
        return self.hidden * (1 if readout == "last" else len(MEAN_DEPTHS))

    def features(self, replies: Sequence[Reply], *, readout: Readout = "layers", progress: Progress | None = None) -> Floats:
        """Return the feature vectors of `replies`, float32 [N, width], in their order; equal conversations are computed once.

        Raises:
            DataError: a reply cannot be rendered, or its features are not finite.
        """
        rendered = [self.renderer.render(reply.context, reply.content, where=reply.name) for reply in replies]
        names = [digest([item.reply_start, *item.ids]) for item in rendered]
        known = self._read(set(names))
        # All replies are planned, known or not: a run that was killed and continued then forms the batches of an unbroken one,
        # and rounding, which depends on a batch's shape, is the same too.
        groups, _ = group_replies(rendered, replies, share=self.backbone.packs)
        self._compute(groups, names, replies, known, progress)
        columns = slice(0, self.hidden) if readout == "last" else slice(self.hidden, None)
        return (
            np.stack([known[name][columns] for name in names]) if names else np.empty((0, self.width(readout)), dtype=np.float32)
        )

    def _compute(
        self,
        groups: Sequence[Group],
        names: Sequence[str],
        replies: Sequence[Reply],
        known: dict[str, Floats],
        progress: Progress | None,
    ) -> None:
        total = len({name for name in names if name not in known})
        fresh: dict[str, Floats] = {}
        done = tokens = 0
        committed = time.monotonic()
        for planned in plan_batches(groups, self.config.token_budget, packed=self.backbone.packs) if total else ():
            batch = _owed(planned, [name not in known for name in names])
            for row, vector in self._forward(batch):
                if not np.isfinite(vector).all():
                    raise DataError(
                        f"{replies[row].name or f'reply {row}'}: its features are not finite; try dtype float32, or drop the row"
                    )
                fresh[names[row]] = vector
                done += 1
            tokens += sum(group.tokens for group in batch)
            if time.monotonic() - committed > COMMIT_SECONDS:
                self._commit(fresh)
                known.update(fresh)
                fresh, committed = {}, time.monotonic()
            if progress and batch:
                progress(done, total, tokens)
        self._commit(fresh)
        known.update(fresh)

    def _forward(self, groups: Sequence[Group]) -> Iterator[tuple[int, Floats]]:
        import torch

        if not groups:
            return
        trunk = self.backbone.trunk
        batch = collate(groups, self.renderer.pad_id, packed=self.backbone.packs, device=trunk.device)
        with torch.inference_mode():
            output = run_trunk(trunk, batch, output_hidden_states=True)
            yield from zip(batch.rows, readout_vectors(output.hidden_states, batch).cpu().numpy(), strict=True)

    def _read(self, wanted: set[str]) -> dict[str, Floats]:
        if self.folder is None or not self.folder.is_dir():
            return {}
        found: dict[str, Floats] = {}
        for path in sorted(self.folder.glob("*.npz")):
            try:
                with np.load(path, allow_pickle=False) as shard:
                    keys = [str(name) for name in shard["names"]]
                    if wanted.isdisjoint(keys):
                        continue
                    vectors = shard["vectors"]
            except (OSError, EOFError, ValueError, KeyError, BadZipFile) as error:
                raise StoreError(
                    f"{path}: this shard of cached features cannot be read ({error}); delete it and run again"
                ) from None
            found.update({key: vectors[row] for row, key in enumerate(keys) if key in wanted})
        return found

    def _commit(self, fresh: Mapping[str, Floats]) -> None:
        if self.folder is None or not fresh:
            return
        import io

        names = sorted(fresh)
        buffer = io.BytesIO()
        np.savez(buffer, names=np.array(names), vectors=np.stack([fresh[name] for name in names]))
        self.folder.mkdir(parents=True, exist_ok=True)
        write_bytes(self.folder / f"{combined_digest(names)[:24]}.npz", buffer.getvalue())


def readout_vectors(hidden_states: Sequence[torch.Tensor], batch: Batch) -> torch.Tensor:
    """Return what both readouts are cut from, float32 [R, 3 D]: the last token's final state, then the replies' mean states.

    Args:
        hidden_states: [B, L, D] of the embeddings and every layer; the last one after the final norm.
        batch: what they were computed for.
    """
    import torch

    depth = len(hidden_states) - 1
    means = []
    for share in MEAN_DEPTHS:
        flat = hidden_states[round(share * depth)].flatten(0, 1).float()
        means.append(torch.stack([flat[start:stop].mean(0) for start, stop in batch.spans]))
    return torch.cat([last_token(hidden_states[-1], batch), *means], dim=1)


def _owed(groups: Sequence[Group], is_owed: Sequence[bool]) -> list[Group]:
    """Return the groups without the replies that are known already."""
    kept = (group.only([index for index, row in enumerate(group.rows) if is_owed[row]]) for group in groups)
    return [group for group in kept if group.rows]
