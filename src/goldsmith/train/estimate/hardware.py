"""GPUs by name: memory, and the peak rate of dense bfloat16 matrix products."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from goldsmith.errors import UserError


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """What a run has, and how well it is used.

    Attributes:
        gpus: number of GPUs.
        kind: name, for the report.
        memory_gib: of one GPU.
        peak_tflops: dense bfloat16 products of one GPU, in 10^12 operations a second.
        utilisation: share of the peak that all arithmetic of a step reaches, in (0, 1]; recomputed layers count as arithmetic.
        bandwidth_gb_s: what one GPU sends and receives while gradients are exchanged, in 10^9 bytes a second.
    """

    gpus: int
    kind: str
    memory_gib: float
    peak_tflops: float
    utilisation: float
    bandwidth_gb_s: float


# (GiB, TFLOP/s): vendors' data sheets, dense rates without sparsity [memory]. GB of the sheets are taken as GiB, as drivers report about that.
GPUS: dict[str, tuple[float, float]] = {
    "a100-40": (40, 312),
    "a100": (80, 312),
    "h100": (80, 989),
    "h800": (80, 989),
    "h200": (141, 989),
    "b200": (180, 2250),
    "l40s": (48, 362),
    "rtx4090": (24, 165),
}
UTILISATION = 0.4
"""Assumed where none is given: a usual figure of tuned training of dense decoders on such GPUs."""
BANDWIDTH_GB_S = 50.0
"""Assumed where none is given: one 400 Gbit/s link for each GPU."""


def hardware(
    *,
    gpus: int,
    kind: str,
    memory_gib: float | None = None,
    peak_tflops: float | None = None,
    utilisation: float | None = None,
    bandwidth_gb_s: float | None = None,
) -> Hardware:
    """Return the hardware of a name; what is given wins over the table.

    Raises:
        UserError: the name is not in the table and memory or peak is not given.
    """
    known = GPUS.get(kind.lower())
    if known is None and (memory_gib is None or peak_tflops is None):
        close = difflib.get_close_matches(kind.lower(), GPUS, n=1)
        hint = f"did you mean '{close[0]}'?" if close else f"known: {', '.join(GPUS)}."
        raise UserError(f"--gpu {kind}: no such GPU in the table; {hint} For another give --gpu-memory and --peak-tflops")
    return Hardware(
        gpus=gpus,
        kind=kind,
        memory_gib=memory_gib or (known or (0, 0))[0],
        peak_tflops=peak_tflops or (known or (0, 0))[1],
        utilisation=utilisation or UTILISATION,
        bandwidth_gb_s=bandwidth_gb_s or BANDWIDTH_GB_S,
    )
