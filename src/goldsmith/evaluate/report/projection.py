"""Vectors to points in the plane: principal components by singular values, with signs that do not depend on the library."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

HEIGHT = 0.6
"""Height of the map in units of its width."""
MARGIN = 0.02
STEP = 0.011
"""Distance of neighbours that share a place, in units of the map's width: about one mark."""


class Plane(NamedTuple):
    """Points, and how much of the vectors they show."""

    points: npt.NDArray[np.float64]
    """[N, 2]: x in [0, 1] from the left, y in [0, HEIGHT] from the top."""
    variance: float | None
    """Share of the variance in the two components, in [0, 1]; None where the vectors do not vary."""


def project(vectors: npt.NDArray[Any]) -> Plane:
    """Return the first two principal components, both axes on one scale, centred in the map.

    Args:
        vectors: [N, D]. The largest entry of each component is positive, so the picture is the same on every machine.
    """
    places = np.zeros((len(vectors), 2))
    centred = np.asarray(vectors, dtype=np.float64)
    centred = centred - (centred.mean(axis=0) if len(centred) else 0.0)
    total, shown = float((centred**2).sum()), None
    if total > 1e-12:
        _, lengths, axes = np.linalg.svd(centred, full_matrices=False)
        axes = axes[:2] * np.sign(axes[np.arange(len(axes[:2])), np.abs(axes[:2]).argmax(axis=1)])[:, None]
        places[:, : len(axes)] = centred @ axes.T
        shown = float((lengths[:2] ** 2).sum() / total)
    return Plane(_fit(places), shown)


def _fit(places: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Scale and shift into the map; one factor for both axes, so that distances keep their proportions."""
    if not len(places):
        return places
    low, high = places.min(axis=0), places.max(axis=0)
    room, spread = np.array([1.0, HEIGHT]) - 2 * MARGIN, high - low
    factor = min((room[axis] / spread[axis] for axis in (0, 1) if spread[axis] > 1e-9), default=1.0)
    fitted: npt.NDArray[np.float64] = (places - (low + high) / 2) * factor + np.array([0.5, HEIGHT / 2])
    return fitted


def spread(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the points [N, 2] with those that share a place in a spiral around it, in their order, so that each can be seen."""
    apart, seen = points.copy(), Counter[tuple[float, ...]]()
    for at, place in enumerate(np.round(points, 4).tolist()):
        turn, radius = seen[tuple(place)] * 2.4, STEP * seen[tuple(place)] ** 0.5
        apart[at] += (radius * np.cos(turn), radius * np.sin(turn))
        seen[tuple(place)] += 1
    inside: npt.NDArray[np.float64] = np.clip(apart, MARGIN / 2, (1.0 - MARGIN / 2, HEIGHT - MARGIN / 2))
    return inside
