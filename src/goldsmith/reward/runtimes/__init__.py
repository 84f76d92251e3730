"""What computes an exported decoder: token ids in, the state at each sequence's last token out, float32. One file for each runtime."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from goldsmith.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RUNTIMES = ("onnx", "openvino")
FILES = {"onnx": ("model.onnx", "model.onnx.data"), "openvino": ("model.xml", "model.bin")}
"""Files of the graph: its structure, and its weights."""
_PACKAGES = {"onnx": "onnxruntime", "openvino": "openvino"}


class Runtime(Protocol):
    """An open graph.

    Attributes:
        arithmetic: of its activations, `float32` for instance.
    """

    arithmetic: str

    def states(self, ids_BL: NDArray[np.int64], last_B: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the normalised states [B, D] of right-padded sequences at the index `last` of each."""
        ...


def open_runtime(name: str, folder: Path, dtype: str, threads: int | None = None, prefix: tuple[int, ...] = ()) -> Runtime:
    """Return the graph of a folder in its runtime.

    Args:
        name: one of `RUNTIMES`.
        folder: with the files of `FILES`.
        dtype: of the weights.
        threads: of one call; none: the runtime's own choice.
        prefix: tokens with which nearly every conversation begins; a runtime may compute them once.

    Raises:
        UserError: the runtime is not installed, or does not take the graph.
    """
    try:
        if name == "onnx":
            from goldsmith.reward.runtimes.onnx import OnnxRuntime

            return OnnxRuntime(folder, dtype, threads, prefix)
        from goldsmith.reward.runtimes.openvino import OpenVinoRuntime

        return OpenVinoRuntime(folder, dtype, threads)
    except ModuleNotFoundError as error:
        raise UserError(
            f"{folder} is computed by {_PACKAGES[name]}, which is not installed ({error.name}); install goldsmith[export]"
        ) from None
    except RuntimeError as error:
        reason = (str(error).strip().splitlines() or ["no reason given"])[-1][:300]
        raise UserError(f"{folder}: {_PACKAGES[name]} does not take the graph ({reason}); export the model again") from None
