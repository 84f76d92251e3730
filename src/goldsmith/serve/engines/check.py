"""Before an engine answers anybody: its scores are finite, differ, and are the golden ones where the model has some."""

from __future__ import annotations

import math
from pathlib import Path

from goldsmith.errors import UserError
from goldsmith.reward.golden import GOLDEN, read_golden
from goldsmith.reward.manifest import read_manifest
from goldsmith.serve.engines import Engine, EngineSpec
from goldsmith.serve.share import Ids, group_sequences

EXACT = 1e-3
"""How far a float32 score may be from its golden one, times max(1, |score|)."""
ROUGH = 0.1
"""The same for other arithmetic, whose own error is known from the parity report of an export alone."""


def tolerance(dtype: str) -> float:
    """Return how far a score may be from its golden one, times max(1, |score|)."""
    return EXACT if dtype == "float32" else ROUGH


def allowed_difference(folder: Path, dtype: str, score: float) -> float:
    """Return how far an engine's score may be from its golden one: an export's as far as its parity report says, and `EXACT` beyond."""
    size = max(1.0, abs(score))
    manifest = read_manifest(folder)
    if manifest is None or manifest.dtype == "fp32":
        return tolerance(dtype) * size
    rough = ROUGH * size if dtype == "bfloat16" and manifest.target == "hf" else 0.0
    return max(rough, manifest.largest + EXACT * size)


def check_engine(engine: Engine, spec: EngineSpec) -> None:
    """Compare an engine with the model's golden scores; without them, or when that was done before, make sure that it gives numbers.

    Raises:
        UserError: a score is not finite, all are the same, or one differs from its golden score.
    """
    folder = Path(spec.path)
    rows = read_golden(folder) if (folder / GOLDEN).is_file() and not spec.is_checked else []
    sequences: list[Ids] = [tuple(row.ids) for row in rows if len(row.ids) <= int(engine.facts["max_length"])]
    sequences = sequences or [tuple(ids) for ids in engine.facts["probes"]]
    scores = score_sequences(engine, sequences)
    for place, score in enumerate(scores):
        if not math.isfinite(score):
            raise UserError(
                f"{spec.path}: gives {score} for an ordinary conversation, so its weights or the arithmetic {engine.facts['dtype']} are "
                "broken; it is not served. Load it with --dtype float32, or train it again"
            )
        if rows and not abs(score - rows[place].score) <= allowed_difference(folder, engine.facts["dtype"], rows[place].score):
            raise UserError(
                f"{folder / GOLDEN}:{place + 1}: the golden score is {rows[place].score:.6f}, and {engine.facts['engine']} in "
                f"{engine.facts['dtype']} gives {score:.6f}; it is not served. Were weights or tokenizer replaced? Then write the file "
                "again with `goldsmith models golden MODEL`"
            )
    if len(scores) > 1 and max(scores) == min(scores):
        raise UserError(f"{spec.path}: gives {scores[0]:.6f} for every conversation, so its head is lost; it is not served")


def score_sequences(engine: Engine, sequences: list[Ids]) -> list[float]:
    """Return the rewards of token sequences, each computed once however often it occurs."""
    distinct = list(dict.fromkeys(sequences))
    found = engine.logits(group_sequences(distinct))
    place = {ids: row for row, ids in enumerate(distinct)}
    return [float(found[place[ids]][0]) for ids in sequences]
