"""The process of one measured way: opens it, then makes one call whenever it is told to."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from goldsmith.errors import GoldsmithError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Call = Callable[[NDArray[np.int64]], Any]

_PAGE = 4096
_ORDINARY = (100, 5000)
"""Token ids that every vocabulary of words has; smaller vocabularies take what they have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One call: a conversation of `length` random tokens, with so many threads."""

    length: int
    threads: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What a process opens.

    Attributes:
        runtime: `torch`, `onnx` or `openvino`.
        folder: of the model.
        dtype: of the weights.
        prefix: tokens with which the template begins every conversation.
    """

    runtime: str
    folder: str
    dtype: str
    prefix: tuple[int, ...]


def serve_calls(pipe: Connection, start: Start) -> None:
    """Say that the way is open (an empty text) or why not, then answer each `Ask` with (seconds, resident bytes)."""
    calls: dict[int, Call] = {}
    try:
        calls[1], vocabulary = _opened(start, 1)
    except GoldsmithError as error:
        pipe.send(str(error))
        return
    pipe.send("")
    while True:
        try:
            ask: Ask = pipe.recv()
        except EOFError:
            return
        if ask.threads not in calls:
            calls = {ask.threads: _opened(start, ask.threads)[0]}
        low, high = min(_ORDINARY[0], vocabulary // 4), min(_ORDINARY[1], vocabulary)
        ids = np.random.default_rng(ask.seed).integers(low, high, (1, ask.length))
        ids[0, : len(start.prefix)] = start.prefix[: ask.length]
        begun = time.perf_counter()
        calls[ask.threads](ids)
        pipe.send((time.perf_counter() - begun, _resident()))


def _opened(start: Start, threads: int) -> tuple[Call, int]:
    """Return what computes one conversation, and the size of its vocabulary."""
    if start.runtime == "torch":
        return _torch(start, threads)
    from goldsmith.reward.exported import ExportedModel
    from goldsmith.reward.manifest import read_manifest
    from goldsmith.reward.packing import Group

    folder = Path(start.folder)
    manifest = read_manifest(folder)
    assert manifest is not None
    model = ExportedModel.open(folder, manifest, threads=threads)

    def call(ids: NDArray[np.int64]) -> None:
        model.logits([Group(prefix=(), suffixes=(tuple(ids[0].tolist()),), starts=(0,), rows=(0,))])

    return call, int(model.trunk.config.vocab_size)


def _torch(start: Start, threads: int) -> tuple[Call, int]:
    """The model as its card says, through transformers' own class."""
    import torch
    from transformers import AutoModelForSequenceClassification

    torch.set_num_threads(threads)
    kind = {"fp32": torch.float32, "bf16": torch.bfloat16}[start.dtype]
    model = AutoModelForSequenceClassification.from_pretrained(start.folder, dtype=kind, use_safetensors=True).eval()

    def call(ids: NDArray[np.int64]) -> None:
        with torch.inference_mode():
            model(input_ids=torch.from_numpy(ids)).logits.float().numpy()

    return call, int(model.config.vocab_size)


def _resident() -> int:
    with open("/proc/self/statm", encoding="ascii") as stream:
        return int(stream.read().split()[1]) * _PAGE
