"""Why a request is refused; each dialect gives it its own shape."""

from __future__ import annotations

from collections.abc import Sequence

from goldsmith.errors import GoldsmithError

RETRYABLE = frozenset({408, 429, 502, 503, 504})


class Refusal(GoldsmithError):
    """A request that gets no score.

    Attributes:
        status: HTTP status.
        code: stable name of the reason, lower-kebab.
        message: what was found, where, and what to do.
        retry_after_s: when it is worth another try.
        details: one line for each item concerned.
    """

    def __init__(
        self, status: int, code: str, message: str, *, retry_after_s: float | None = None, details: Sequence[str] = ()
    ) -> None:
        """Name the reason."""
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.retry_after_s, self.details = retry_after_s, list(details)

    @property
    def told(self) -> str:
        """The message and every detail on one line, for dialects whose errors have no room for a list."""
        return "; ".join([self.message, *self.details])

    @property
    def is_retryable(self) -> bool:
        """The same request may be answered later."""
        return self.status in RETRYABLE


def bad_request(code: str, message: str, details: Sequence[str] = ()) -> Refusal:
    """Return the refusal of a request that cannot be answered as it is, 400."""
    return Refusal(400, code, message, details=details)


def unavailable(code: str, message: str, retry_after_s: float = 1.0) -> Refusal:
    """Return the refusal of a request that will be answered later, 503."""
    return Refusal(503, code, message, retry_after_s=retry_after_s)
