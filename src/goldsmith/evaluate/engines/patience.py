"""How long a server is waited for: one request with all its further attempts, and all of them while nothing comes back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic


@dataclass(slots=True, kw_only=True)
class Patience:
    """The two limits, for the requests of one engine together.

    Attributes:
        request_s: seconds for one request with its further attempts and the pauses between them.
        silence_s: seconds without any answer to any request.
        clock: seconds that only grow.
    """

    request_s: float
    silence_s: float
    clock: Callable[[], float] = monotonic
    _last: float = field(init=False)

    def __post_init__(self) -> None:
        self._last = self.clock()

    def answered(self) -> None:
        """Note that the server has answered a request."""
        self._last = self.clock()

    def left_s(self, begun: float) -> float:
        """Return the seconds left to a request that began at `begun` by the clock; negative where there are none."""
        return min(begun + self.request_s, self._last + self.silence_s) - self.clock()
