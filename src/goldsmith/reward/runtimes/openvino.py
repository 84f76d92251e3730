"""OpenVINO on the CPU; arithmetic is bfloat16 where the export asks for it and the processor multiplies it natively, else float32."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import openvino
from openvino.properties import device, enable_mmap, hint, inference_num_threads

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BF16 = "BF16"


class OpenVinoRuntime:
    """One graph; see `Runtime`."""

    def __init__(self, folder: Path, dtype: str, threads: int | None = None, **properties: Any) -> None:
        """Compile `model.xml` for the CPU.

        Args:
            folder: of the export.
            dtype: of the weights; `bf16` and `int8` compute in bfloat16 where that is native.
            threads: of one call.
            properties: further properties of OpenVINO, for benchmarks.
        """
        core = openvino.Core()
        # A mapped file that is written over in place would change a model in use.
        core.set_property({enable_mmap(): False})
        is_native = _BF16 in core.get_property("CPU", device.capabilities())
        self.arithmetic = "bfloat16" if is_native and dtype in ("bf16", "int8", "int4") else "float32"
        precision = openvino.Type.bf16 if self.arithmetic == "bfloat16" else openvino.Type.f32
        settings = {hint.inference_precision(): precision, hint.performance_mode(): hint.PerformanceMode.LATENCY, **properties}
        if threads:
            settings[inference_num_threads()] = threads
        self._request = core.compile_model(str(folder / "model.xml"), "CPU", settings).create_infer_request()

    def states(self, ids_BL: NDArray[np.int64], last_B: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the states [B, D] at `last`."""
        found = self._request.infer({"input_ids": ids_BL, "last": last_B})
        states: NDArray[np.float32] = found["state"].copy()
        return states
