"""What computes a model: sequences grouped by their shared beginnings in, float32 raw logits out. One file for each runtime."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from goldsmith.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from goldsmith.reward.packing import Group

ENGINES = ("auto", "torch", "onnx", "openvino")


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSpec:
    """What a worker needs to open an engine (sent to it; plain values).

    Attributes:
        engine: one of `ENGINES`; `auto`: what the folder was exported for, else torch.
        path: folder of the model.
        dtype: arithmetic.
        max_length: tokens of a conversation at most; none: the model's.
        pooling: where the reward is read; none: the model's.
        threads: of the worker.
        token_budget: tokens of a batch; none: the engine's own choice.
        prefix_cache_mb: memory for states of earlier conversations.
        is_checked: the same model was compared with its golden scores before.
        remote_code: digests of code that may run.
    """

    engine: str
    path: str
    dtype: str = "auto"
    max_length: int | None = None
    pooling: str | None = None
    threads: int = 1
    token_budget: int | None = None
    prefix_cache_mb: int = 0
    is_checked: bool = False
    remote_code: tuple[str, ...] = ()


class Engine(Protocol):
    """One loaded model.

    Attributes:
        facts: what decides its scores (JSON values), `model_digest`, `dtype`, `max_length`, `heads`, `token_budget` and `shares` among them.
        shares: it computes a group's shared beginning once.
        computed: tokens computed so far, and `reused`, tokens taken from earlier requests.
    """

    facts: dict[str, Any]
    shares: bool
    computed: int
    reused: int

    def logits(self, groups: Sequence[Group]) -> dict[int, NDArray[np.float32]]:
        """Return for each row of the groups its raw logits, float32 [1 + K]: its own head's, then those of K bootstrap heads."""
        ...


def open_engine(spec: EngineSpec) -> Engine:
    """Return the engine of a model, checked against its golden scores.

    Raises:
        UserError: no such engine, the model cannot be used, does not give its golden scores, or changed while it was loaded.
    """
    from goldsmith.reward.checkpoint import file_states, locate, refuse_changed
    from goldsmith.serve.engines.check import check_engine

    folder = locate(spec.path)
    before = file_states(folder)
    engine = _opened(spec)
    refuse_changed(folder, before)
    check_engine(engine, spec)
    return engine


def _opened(spec: EngineSpec) -> Engine:
    from goldsmith.reward.checkpoint import locate
    from goldsmith.reward.manifest import read_manifest

    if spec.engine not in ENGINES:
        raise UserError(f"engine {spec.engine!r}: there is {', '.join(ENGINES)}")
    manifest = read_manifest(locate(spec.path))
    made_for = "torch" if manifest is None or manifest.target == "hf" else manifest.target
    if spec.engine not in ("auto", made_for):
        raise UserError(
            f"{spec.path}: is computed by {made_for}, and the engine {spec.engine!r} is asked for; leave it out, or write another folder "
            f"with `goldsmith export MODEL --to {'hf' if spec.engine == 'torch' else spec.engine}`"
        )
    if manifest is None or made_for == "torch":
        return _torch_engine(spec)
    from goldsmith.serve.engines.exported_engine import ExportedEngine

    return ExportedEngine(spec, manifest)


def _torch_engine(spec: EngineSpec) -> Engine:
    from pathlib import Path

    from goldsmith.reward.encoder import is_encoder

    if is_encoder(Path(spec.path)):
        from goldsmith.serve.engines.encoder_engine import EncoderEngine

        return EncoderEngine(spec)
    from goldsmith.serve.engines.torch_engine import TorchEngine

    return TorchEngine(spec)
