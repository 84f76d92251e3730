"""The lead's figures, computed at most every half minute: a page that is reloaded costs the annotators nothing."""

from __future__ import annotations

import threading
from typing import Any

from goldsmith.gold import progress as figures
from goldsmith.gold.annotators import annotators
from goldsmith.gold.batches import batches
from goldsmith.gold.room import Room
from goldsmith.gold.tool_evidence import tool_evidence

FRESH_SECONDS = 30.0
EXPORTS = (
    "votes",
    "gold",
    "annotators",
    "batches",
    "coverage",
    "throughput",
    "alpha",
    "progress",
    "tools",
    "tool_uses",
    "events",
)


class Summary:
    """The data of the lead's page, kept for a while.

    Args:
        room: the room.
    """

    def __init__(self, room: Room) -> None:
        self._room = room
        self._lock = threading.Lock()
        self._made: tuple[float, dict[str, Any]] | None = None

    def get(self) -> dict[str, Any]:
        """Return the data, at most half a minute old; several who ask at once wait for one computation."""
        with self._lock:
            if self._made is None or self._room.clock() - self._made[0] > FRESH_SECONDS:
                self._made = (self._room.clock(), compute(self._room))
            return self._made[1]


def compute(room: Room) -> dict[str, Any]:
    """Return the data of `lead.html` of design/annotation.md, but for the exports."""
    with room.database.read(at_once=True) as connection:
        return {
            "progress": figures.progress(room, connection),
            "batches": [{**row, "url": f"/lead/batches/{row['batch']}"} for row in batches(room, connection)],
            "throughput": figures.throughput(room, connection),
            "cost": figures.cost(room, connection),
            "alpha_over_time": figures.alpha_over_time(room, connection),
            "disputes": figures.disputes(room, connection),
            "annotators": annotators(room, connection),
            "coverage": figures.coverage(connection),
            "tools": tool_evidence(connection),
            "min_alpha": room.gold.min_alpha,
        }
