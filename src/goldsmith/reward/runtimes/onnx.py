"""ONNX Runtime on the CPU; long sequences go through in pieces, so that memory grows with their length and not with its square.

Shapes: B sequences, L tokens, D hidden; keys and values are [2 * layers, B, heads, tokens, numbers a head].
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime

from goldsmith.reward.runtimes import FILES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ids = NDArray[np.int64]
    Floats = NDArray[np.float32]

PIECE = 1024
"""Tokens of a sequence that go through the graph at once."""
_ERRORS_ONLY = 3


class OnnxRuntime:
    """One graph; see `Runtime`."""

    def __init__(self, folder: Path, dtype: str = "fp32", threads: int | None = None, prefix: tuple[int, ...] = ()) -> None:
        """Open `model.onnx`, and compute the keys and values of `prefix` once; see `open_runtime`."""
        self.arithmetic = "int8" if dtype in ("int8", "int4") else "float32"
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _ERRORS_ONLY
        if threads:
            options.intra_op_num_threads = threads
        graph, weights = (folder / name for name in FILES["onnx"])
        held = weights.read_bytes() if weights.is_file() else b""
        if held:
            # By itself it maps the file, and one that is written over in place would change a model in use.
            options.add_external_initializers_from_files_in_memory([weights.name], [held], [len(held)])
        self._session = onnxruntime.InferenceSession(str(graph), sess_options=options, providers=["CPUExecutionProvider"])
        shape = next(entry.shape for entry in self._session.get_inputs() if entry.name == "past")
        self._pairs, self._heads, self._width = int(shape[0]), int(shape[2]), int(shape[4])
        self._prefix = np.array(prefix, np.int64)
        self._prefix_kv = self._nothing(1)
        if prefix:
            ids_1P = self._prefix[None]
            self._prefix_kv = self._run(ids_1P, np.array([len(prefix) - 1]), self._prefix_kv)[1]

    def states(self, ids_BL: Ids, last_B: Ids) -> Floats:
        """Return the states [B, D] at `last`."""
        known = len(self._prefix)
        if known and known < ids_BL.shape[1] and int(last_B.min()) >= known and (ids_BL[:, :known] == self._prefix).all():
            past = np.ascontiguousarray(np.broadcast_to(self._prefix_kv, self._shape(len(ids_BL), known)))
            return self._pieces(ids_BL[:, known:], last_B - known, past)
        return self._pieces(ids_BL, last_B, self._nothing(len(ids_BL)))

    def _pieces(self, ids_BL: Ids, last_B: Ids, past: Floats) -> Floats:
        if ids_BL.shape[1] <= PIECE:
            return self._run(ids_BL, last_B, past)[0]
        found: list[Floats | None] = [None] * len(ids_BL)
        for begin in range(0, ids_BL.shape[1], PIECE):
            piece = np.ascontiguousarray(ids_BL[:, begin : begin + PIECE])
            end = begin + piece.shape[1]
            states, present = self._run(piece, np.clip(last_B - begin, 0, piece.shape[1] - 1), past)
            for row in np.flatnonzero((last_B >= begin) & (last_B < end)):
                found[row] = states[row]
            if end < ids_BL.shape[1]:
                past = np.concatenate([past, present], axis=3)
        return np.stack([state for state in found if state is not None])

    def _run(self, ids_BL: Ids, last_B: Ids, past: Floats) -> tuple[Floats, Floats]:
        inputs = {"input_ids": np.ascontiguousarray(ids_BL), "last": last_B.astype(np.int64), "past": past}
        state, present = self._session.run(["state", "present"], inputs)
        return state, present

    def _nothing(self, batch: int) -> Floats:
        return np.zeros(self._shape(batch, 0), np.float32)

    def _shape(self, batch: int, tokens: int) -> tuple[int, ...]:
        return (self._pairs, batch, self._heads, tokens, self._width)
