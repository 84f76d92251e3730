"""The door to a server: as many calls at once as its pace allows, none while it asked for a pause; others wait in line."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Hashable

from goldsmith.llm.pace import Ended, Pace, Ticket


class Gate:
    """Lets calls through one by one; used from one event loop."""

    def __init__(self, most: int) -> None:
        """Open for at most `most` calls at once."""
        self.pace = Pace(most)
        self._line: deque[tuple[asyncio.Future[Ticket], Hashable]] = deque()
        self._resume_at_s = 0.0

    async def enter(self, kind: Hashable) -> Ticket:
        """Wait for a turn; the ticket must be given back to `leave`."""
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[Ticket] = loop.create_future()
        self._line.append((turn, kind))
        self._let_in()
        try:
            return await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self.leave(turn.result(), "stopped")
            raise

    def leave(self, ticket: Ticket, ended: Ended, latency_s: float = 0.0) -> None:
        """End a call that took these seconds, and let others in."""
        self.pace.end(ticket, ended, latency_s)
        self._let_in()

    def pause(self, seconds: float) -> None:
        """Let nobody in for a while: the server speaks of itself, not of one call."""
        loop = asyncio.get_running_loop()
        self._resume_at_s = max(self._resume_at_s, loop.time() + seconds)
        loop.call_at(self._resume_at_s, self._let_in)

    def _let_in(self) -> None:
        now_s = asyncio.get_running_loop().time()
        while self._line and self.pace.has_room and now_s >= self._resume_at_s:
            turn, kind = self._line.popleft()
            if not turn.done():
                turn.set_result(self.pace.begin(kind))
