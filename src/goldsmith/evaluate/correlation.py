"""Do two benchmarks rank models alike? Pearson and Spearman over models, with intervals or an honest "too few models"."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import atanh, isfinite, sqrt, tanh
from pathlib import Path
from typing import Literal

import numpy as np

from goldsmith.errors import DataError
from goldsmith.evaluate.statistics import Z_95

FEWEST = 3
"""Models below which no correlation is given: through two points there is always a line."""
FEWEST_INTERVAL = 4
"""Models below which there is no interval: its width rests on n - 3."""
_ROUNDING = 1e-12
MISLEADING = 0.3
"""Correlation with real use below which the article calls a benchmark misleading."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation:
    """A coefficient in [-1, 1] over models, with its 95 % interval; None with the reason where there is none."""

    kind: Literal["pearson", "spearman"]
    value: float | None = None
    low: float | None = None
    high: float | None = None
    num_models: int = 0
    reason: str | None = None


def correlation(one: Sequence[float], other: Sequence[float], kind: Literal["pearson", "spearman"]) -> Correlation:
    """Return the correlation of two columns, one value a model.

    Args:
        one: figures of one benchmark, finite, length n.
        other: figures of the other, of the same models in the same order.
        kind: Pearson's r, or Spearman's rho (Pearson's r of mid-ranks).

    Returns:
        The interval is Fisher's: tanh(atanh(r) +- 1.96 s) with s = 1 / sqrt(n - 3) for r and sqrt((1 + rho^2 / 2) / (n - 3)) for rho
        (Bonett and Wright, 2000). It takes the models for independent draws, which relatives are not. At 1 and -1 it has no width, which
        few models reach by chance, so there is none then.

    Raises:
        ValueError: the columns differ in length.
    """
    if len(one) != len(other):
        raise ValueError(f"{len(one)} and {len(other)} models; give both columns the same models")
    count = len(one)
    if count < FEWEST:
        return Correlation(kind=kind, num_models=count, reason=f"too few models: {count}, at least {FEWEST} are needed")
    columns = [np.asarray(column, dtype=np.float64) for column in (one, other)]
    if kind == "spearman":
        columns = [mid_ranks(column.tolist()) for column in columns]
    if any(np.ptp(column) == 0 for column in columns):
        return Correlation(kind=kind, num_models=count, reason="all models have the same figure")
    value = min(1.0, max(-1.0, float(np.corrcoef(columns[0], columns[1])[0, 1])))
    if count < FEWEST_INTERVAL:
        return Correlation(kind=kind, value=value, num_models=count, reason=f"too few models for an interval: {count}")
    if abs(value) > 1.0 - _ROUNDING:
        return Correlation(kind=kind, value=value, num_models=count, reason="no interval: all models in one line")
    low, high = _fisher(value, count, kind)
    return Correlation(kind=kind, value=value, low=low, high=high, num_models=count)


def mid_ranks(values: Sequence[float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return ranks from 1, equal values sharing the mean of their ranks."""
    _, index, counts = np.unique(np.asarray(values, dtype=np.float64), return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks: np.ndarray[tuple[int], np.dtype[np.float64]] = (ends - (counts - 1) / 2.0)[index]
    return ranks


def matrix(figures: Mapping[str, Mapping[str, float]]) -> dict[tuple[str, str], dict[str, Correlation]]:
    """Return both coefficients for every two measures.

    Args:
        figures: measure -> model -> figure; a pair of measures is compared over the models that have both.
    """
    names = list(figures)
    found = {}
    for place, one in enumerate(names):
        for other in names[place + 1 :]:
            found[one, other] = both(figures[one], figures[other])
    return found


def both(one: Mapping[str, float], other: Mapping[str, float]) -> dict[str, Correlation]:
    """Return Pearson's and Spearman's coefficient of two measures over the models that have both."""
    shared = [name for name in one if name in other]
    columns = [one[name] for name in shared], [other[name] for name in shared]
    return {"pearson": correlation(*columns, "pearson"), "spearman": correlation(*columns, "spearman")}


def read_downstream(path: Path) -> dict[str, float]:
    """Return a measure of real use per model from a file of `model,value` lines, with or without a header.

    Raises:
        DataError: it cannot be read, or a line is no model and finite number; the message names file:line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as UTF-8 text ({error}); give a file of `model,value` lines") from None
    found: dict[str, float] = {}
    reader = csv.reader(io.StringIO(text))
    for row in reader:
        cells = [cell.strip() for cell in row]
        if not any(cells) or (reader.line_num == 1 and cells[:1] == ["model"]):
            continue
        place = f"{path}:{reader.line_num}"
        value = _number(cells[1]) if len(cells) == 2 else None
        if value is None or not cells[0]:
            raise DataError(f"{place}: {','.join(row)!r} is not `model,value` with a finite number; mend the line")
        if cells[0] in found:
            raise DataError(f"{place}: model {cells[0]!r} occurs twice; keep one of the lines")
        found[cells[0]] = value
    if not found:
        raise DataError(f"{path}: no `model,value` line in it")
    return found


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if isfinite(value) else None


def _fisher(value: float, count: int, kind: str) -> tuple[float, float]:
    spread = sqrt((1.0 + value * value / 2.0 if kind == "spearman" else 1.0) / (count - 3))
    centre = atanh(value)
    return tanh(centre - Z_95 * spread), tanh(centre + Z_95 * spread)
