"""How many calls a server gets at once: starts low, doubles while answers come quickly, backs off when it struggles.

Additive increase, multiplicative decrease, as congestion control does it; slowness is seen by the median latency of a window
of calls against what is usual for calls of that kind. Pure: latencies are arguments, and nothing here waits.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Literal

Ended = Literal["answered", "refused", "failed", "stopped"]
"""A call was answered, refused for want of room (429), failed (5xx, time-out, closed), or says nothing about the load."""

START = 8
"""Calls at once in the beginning."""
SHORTEST_WINDOW = 16
"""Calls in a window at least: the median of fewer jumps about."""
CALM_BELOW, SLOW_ABOVE = 2.0, 3.0
"""Window median over usual latency: below the first more calls are tried, above the second fewer. A server that batches
answers each call more slowly under load while it answers more of them, so some slowness is no reason to back off."""
CUTS = {"refused": 0.7, "failed": 0.5}
"""What is left of the limit: a refusal costs nothing, a call that failed may be paid for."""
SLOW_CUT, REGAINED = 0.8, 0.8
"""What is left of it after slowness; and the part of it that is regained by doubling."""
FAILED_SHARE = 0.1
"""Failures, as a part of the limit, above which they are taken for overload."""
FASTER, SLOWER = 0.3, 0.005
"""How quickly the usual latency follows a faster window, and a slower one."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """One call under way: what kind it is, and after how many cuts it began."""

    kind: Hashable
    epoch: int


class Pace:
    """The limit on calls in flight of one endpoint."""

    def __init__(self, most: int) -> None:
        """Begin at `START`, or at `most`, which is never exceeded."""
        self.limit = min(START, most)
        self.in_flight = 0
        self.cuts = 0
        """How often the limit was lowered; calls that began before the last time say nothing about the limit of now."""
        self._most = most
        self._double_below = float(most)
        self._part = 0.0
        self._peak = 0
        self._failed = 0
        self._is_calm = True
        self._window: list[tuple[Hashable, float]] = []
        self._window_size = SHORTEST_WINDOW
        self._usual: dict[Hashable, float] = {}

    @property
    def has_room(self) -> bool:
        """Tell whether one more call may begin."""
        return self.in_flight < self.limit

    def begin(self, kind: Hashable = None) -> Ticket:
        """Count a call that begins; calls of one kind are about equally long."""
        self.in_flight += 1
        self._peak = max(self._peak, self.in_flight)
        return Ticket(kind, self.cuts)

    def end(self, ticket: Ticket, ended: Ended, latency_s: float = 0.0) -> None:
        """Count how a call ended, after how many seconds, and move the limit."""
        self.in_flight -= 1
        if ticket.epoch != self.cuts or ended == "stopped":
            return
        if ended == "answered":
            self._window.append((ticket.kind, latency_s))
            self._grow()
            if len(self._window) == self._window_size:
                self._close_window()
        else:
            self._failed += 1
            if ended == "refused" or self._failed > FAILED_SHARE * self.limit:
                self._cut(CUTS[ended])

    def _grow(self) -> None:
        """One more for each answer (doubling), or for each limitful of answers, as long as the limit is what holds calls back."""
        if self._is_calm and self.limit < self._most and 2 * self._peak >= self.limit:
            self._part += 1.0 if self.limit < self._double_below else 1.0 / self.limit
            whole = int(self._part)
            self._part -= whole
            self.limit = min(self._most, self.limit + whole)

    def _close_window(self) -> None:
        slowness = self._slowness()
        self._open_window()
        self._is_calm = slowness < CALM_BELOW
        if slowness > SLOW_ABOVE:
            self._cut(SLOW_CUT)
            self._double_below = self.limit
        elif not self._is_calm:
            self._double_below = min(self._double_below, self.limit)

    def _slowness(self) -> float:
        """Return the window's latency as a multiple of the usual one, and learn from it."""
        by_kind: dict[Hashable, list[float]] = defaultdict(list)
        for kind, latency_s in self._window:
            by_kind[kind].append(latency_s)
        total = 0.0
        for kind, latencies_s in by_kind.items():
            median_s = max(1e-6, statistics.median(latencies_s))
            usual_s = self._usual.setdefault(kind, median_s)
            total += len(latencies_s) * median_s / usual_s
            self._usual[kind] = usual_s + (FASTER if median_s < usual_s else SLOWER) * (median_s - usual_s)
        return total / len(self._window)

    def _cut(self, part: float) -> None:
        self.cuts += 1
        self._double_below = max(1.0, REGAINED * self.limit)
        self.limit = max(1, int(part * self.limit))
        self._part, self._is_calm = 0.0, True
        self._open_window()

    def _open_window(self) -> None:
        """As many calls as may be in flight now: while the limit doubles, it would run away from a window that grows with it."""
        self._window.clear()
        self._window_size = max(self.limit, SHORTEST_WINDOW)
        self._failed, self._peak = 0, self.in_flight
