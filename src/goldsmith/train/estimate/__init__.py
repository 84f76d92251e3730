"""What a training run needs, from shapes alone: parameters, memory, tokens, steps, GPU-hours. No weights, no torch.

The formulas are explained in `docs/estimate.md`.
"""

from goldsmith.train.estimate.hardware import Hardware, hardware
from goldsmith.train.estimate.run import Estimate, estimate_training
from goldsmith.train.estimate.text import estimate_text

__all__ = ["Estimate", "Hardware", "estimate_text", "estimate_training", "hardware"]
