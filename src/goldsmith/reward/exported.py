"""A reward model whose decoder is a graph of another runtime; rendering, reading and everything around it are those of `RewardModel`.

Shapes: B sequences, L tokens, D hidden, R replies, K bootstrap heads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from goldsmith.errors import UserError
from goldsmith.reward.calibration import read_calibration
from goldsmith.reward.card import read_card
from goldsmith.reward.ensemble import HeadEnsemble
from goldsmith.reward.manifest import HEAD_FILE, Manifest, check_files, export_digest
from goldsmith.reward.model import RewardModel
from goldsmith.reward.packing import Group
from goldsmith.reward.readout import open_renderer
from goldsmith.reward.render import PROBES, Renderer, TruncationSide, common_prefix
from goldsmith.reward.runtimes import Runtime, open_runtime

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

ARITHMETIC = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}
"""Names of the weights' types in the facts of a model; integers keep theirs."""


@dataclass(frozen=True, slots=True)
class _Trunk:
    config: Any
    dtype: str


@dataclass(frozen=True, slots=True)
class _Graph:
    """What stands where a transformers classifier stands."""

    trunk: _Trunk
    base_model_prefix: str = "trunk"


class ExportedModel(RewardModel):
    """A reward model in ONNX Runtime or OpenVINO; see `RewardModel`.

    Attributes:
        manifest: how it was exported.
    """

    def __init__(
        self, folder: Path, manifest: Manifest, runtime: Runtime, config: Any, renderer: Renderer, token_budget: int
    ) -> None:
        """Hold what `open` made."""
        made = read_card(folder)
        kind = ARITHMETIC.get(manifest.dtype, manifest.dtype)
        super().__init__(
            _Graph(_Trunk(config, kind)),
            renderer,
            export_digest(folder, manifest),
            pooling=made.get("pooling", "last"),
            token_budget=token_budget,
            head_bias=float(made.get("head_bias", 0.0)),
            ensemble=HeadEnsemble.load(folder, config.get_text_config().hidden_size),
            calibration=read_calibration(folder),
        )
        self.manifest, self._runtime = manifest, runtime
        self._packs, self.batching = False, "padded batches of whole conversations, by length"
        self._weight_D, self._bias = _read_head(folder)

    @classmethod
    def open(
        cls,
        folder: Path,
        manifest: Manifest,
        *,
        max_length: int | None = None,
        truncation_side: TruncationSide | None = None,
        token_budget: int = 4096,
        threads: int | None = None,
    ) -> ExportedModel:
        """Return the model of an exported folder.

        Args:
            folder: of the export.
            manifest: its record.
            max_length: tokens of a conversation at most; none: what it was exported with.
            truncation_side: which end is cut; none: what the model was made with.
            token_budget: area of a padded batch.
            threads: of one call; none: the runtime's own choice.

        Raises:
            UserError: files are missing, changed or added, the runtime is not installed, or the length is above the graph's.
        """
        from transformers import AutoConfig

        check_files(folder, manifest)
        made = read_card(folder)
        longest = made.get("max_length")
        if max_length and longest and max_length > longest:
            raise UserError(
                f"max_length {max_length} is above the {longest} tokens that {folder} was exported for; export it again"
            )
        config = AutoConfig.from_pretrained(str(folder), trust_remote_code=False)
        renderer = open_renderer(
            folder,
            config,
            name=str(folder),
            pooling=made.get("pooling", "last"),
            max_length=max_length,
            truncation_side=truncation_side,
        )
        runtime = open_runtime(manifest.target, folder, manifest.dtype, threads, tuple(manifest.prefix))
        return cls(folder, manifest, runtime, config, renderer, token_budget)

    def facts(self) -> dict[str, Any]:
        """Return what decides the scores, and how they are computed (JSON values)."""
        told = {**super().facts(), "attention": self.manifest.target}
        return {**told, "engine": self.manifest.target, "arithmetic": self._runtime.arithmetic}

    def logits(self, groups: Sequence[Group]) -> dict[int, Floats]:
        """Return for each row of the groups, computed as one padded batch, its raw logits, float32 [1 + K]."""
        return dict(self._forward(groups))

    def _forward(self, groups: Sequence[Group]) -> Iterator[tuple[int, Floats]]:
        sequences = [group.prefix + suffix for group in groups for suffix in group.suffixes]
        rows = [row for group in groups for row in group.rows]
        ids_BL = np.full((len(sequences), max(map(len, sequences))), self.renderer.pad_id, np.int64)
        for place, ids in enumerate(sequences):
            ids_BL[place, : len(ids)] = ids
        last_B = np.array([len(ids) - 1 for ids in sequences], np.int64)
        return zip(rows, self._read(self._runtime.states(ids_BL, last_B)), strict=True)

    def _read(self, states_BD: Floats) -> Floats:
        own_B1 = (states_BD @ self._weight_D)[:, None] + np.float32(self._bias + self.head_bias)
        if self.ensemble is None:
            return own_B1
        others_BK = np.asarray((states_BD - self.ensemble.center) @ self.ensemble.weight.T, np.float32)
        return np.concatenate([own_B1, others_BK], axis=1)


def template_prefix(renderer: Renderer) -> tuple[int, ...]:
    """Return the tokens with which the template begins every conversation whose first turn is the user's.

    One token less than what two different questions share is kept, as the last one may be merged with the beginning of a third.
    """
    turns = [[{**turn, "content": text} for turn in PROBES[0]] for text in ("Zebra", "1 < 2", "¿Qué?", "\n\n- a", "你好")]
    rendered = [renderer.render(turn[:-1], "yes", where="probe").ids for turn in turns]
    return tuple(rendered[0][: max(0, common_prefix(rendered) - 1)])


def _read_head(folder: Path) -> tuple[Floats, float]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(folder / HEAD_FILE, framework="numpy") as tensors:
            weight, bias = tensors.get_tensor("weight"), float(tensors.get_tensor("bias")[0])
    except (OSError, SafetensorError) as error:
        raise UserError(f"{folder / HEAD_FILE}: cannot be read ({error}); export the model again") from None
    if not (np.isfinite(weight).all() and np.isfinite(bias)):
        raise UserError(f"{folder / HEAD_FILE}: holds numbers that are not finite; export the model again")
    return np.ascontiguousarray(weight, np.float32).ravel(), bias
