"""What came of one attempt, and how long to wait before another."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from goldsmith.identity import unit_interval
from goldsmith.llm.request import FailureKind

BASE_DELAY_S = 0.5
MAX_DELAY_S = 30.0
LONGEST_RETRY_AFTER_S = 600.0
"""A server that asks for a longer pause gets it from the user: the call fails and says so."""

Cause = Literal["answered", "status", "timeout", "lost", "unreachable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One HTTP exchange: a response with its bytes, or the way in which none came."""

    cause: Cause
    status: int | None = None
    body: bytes = b""
    retry_after_s: float | None = None
    detail: str = ""

    @property
    def may_retry(self) -> bool:
        """429, 5xx, and no answer at all; every other error would only come again."""
        if self.cause == "status":
            return self.status == 429 or (self.status or 0) >= 500
        return self.cause in ("timeout", "lost", "unreachable")

    @property
    def failure_kind(self) -> FailureKind:
        """How the failure is counted when there is no further attempt."""
        if self.cause == "status":
            if self.status == 429:
                return "rate-limited"
            return "server-error" if (self.status or 0) >= 500 else "refused"
        return "timeout" if self.cause == "timeout" else "connection-lost"


def delay_s(attempt: Attempt, number: int, key: str, seed: int, base_s: float = BASE_DELAY_S) -> float:
    """Return the seconds to wait after the `number`-th attempt (from 0): Retry-After, or doubling with jitter.

    Args:
        attempt: what came of it.
        number: attempts before this one.
        key: the request, for a jitter that is the same in every run.
        seed: the run's seed.
        base_s: first delay; grows to `MAX_DELAY_S`.
    """
    if attempt.retry_after_s is not None:
        return attempt.retry_after_s
    return min(MAX_DELAY_S, base_s * 2.0**number) * (0.5 + unit_interval(f"{key}:{number}", seed))


def parse_retry_after(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Return the seconds that a Retry-After header asks for (a number or a date), at least 0; None when there is none to read."""
    text = (headers.get("retry-after") or "").strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(text).timestamp() - (time.time() if now is None else now)
        except (ValueError, TypeError):
            return None
    return max(0.0, seconds) if seconds == seconds else None


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and what it was raised from, outermost first."""
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__ or current.__context__
