"""Which weights each runtime gets, and why the others are refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from goldsmith.errors import UserError

Target = Literal["hf", "onnx", "openvino"]
ExportDtype = Literal["fp32", "bf16", "fp16", "int8", "int4"]

TARGETS: tuple[Target, ...] = ("hf", "onnx", "openvino")
DTYPES: tuple[ExportDtype, ...] = ("fp32", "bf16", "fp16", "int8", "int4")

ALLOWED: dict[ExportDtype, float] = {"fp32": 0.0, "bf16": 0.03, "fp16": 0.03, "int8": 0.05, "int4": 0.10}
"""Share of decisions that may change."""

_REFUSED: dict[tuple[str, str], str] = {
    ("onnx", "bf16"): "ONNX Runtime has no bfloat16 products on a CPU; use --to openvino, or fp32",
    ("onnx", "fp16"): "ONNX Runtime has no float16 products on a CPU; use --to openvino, or --to hf for a GPU",
    ("hf", "int4"): "4-bit checkpoints need a calibrated method; use --to onnx or openvino, or int8",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to deploy: a runtime and its weights."""

    target: Target
    dtype: ExportDtype

    def __str__(self) -> str:
        return f"{self.target} {self.dtype}"


def checked_way(target: str, dtype: str) -> Way:
    """Return a way that can be written.

    Raises:
        UserError: no such target or weights, or a pair that no runtime computes.
    """
    if target not in TARGETS:
        raise UserError(f"--to {target!r}: there is {', '.join(TARGETS)}")
    if dtype not in DTYPES:
        raise UserError(f"--dtype {dtype!r}: there is {', '.join(DTYPES)}")
    reason = _REFUSED.get((target, dtype))
    if reason:
        raise UserError(f"--to {target} --dtype {dtype}: {reason}")
    return Way(target=target, dtype=dtype)


def ways() -> list[Way]:
    """Return every way, in the order of the tables."""
    return [Way(target=target, dtype=dtype) for target in TARGETS for dtype in DTYPES if (target, dtype) not in _REFUSED]
