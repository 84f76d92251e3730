"""HTTP connections that are bounded in time and number: a head that does not arrive closes its connection, as does one too many."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol


def guarded(header_timeout_s: float, max_connections: int) -> type[H11Protocol]:
    """Return uvicorn's protocol with a limit of connections, and of the time for the head of every request, the first one included."""

    class Guarded(H11Protocol):
        _deadline: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            if len(self.connections) > max_connections:
                transport.close()
                return
            self._deadline = self.loop.call_later(header_timeout_s, self._give_up)

        def data_received(self, data: bytes) -> None:
            before = self.cycle
            super().data_received(data)
            if self.cycle is not before:
                self._met()
            elif self._deadline is None and (self.cycle is None or self.cycle.response_complete):
                # The first bytes of another request on a connection that is kept alive.
                self._deadline = self.loop.call_later(header_timeout_s, self._give_up)

        def connection_lost(self, exc: Exception | None) -> None:
            self._met()
            super().connection_lost(exc)

        def _met(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

        def _give_up(self) -> None:
            self._deadline = None
            if self.transport is not None and not self.transport.is_closing():
                self.transport.close()

    return Guarded
