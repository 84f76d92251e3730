"""What came of one attempt, and how long to wait before another."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from goldsmith.identity import unit_interval
from goldsmith.llm.pace import Ended
from goldsmith.llm.request import FailureKind

BASE_DELAY_S = 0.5
MAX_DELAY_S = 30.0
LONGEST_RETRY_AFTER_S = 600.0
"""A server that asks for a longer pause gets it from the user: the questions left fail and say so."""
TOO_MANY, TOO_LATE = 429, 408
SCHEMA_WORDS = ("response_format", "json_schema", "schema", "structured", "grammar", "guided")
"""What servers call the field that they refuse."""

Cause = Literal["answered", "status", "timeout", "lost", "unreachable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One HTTP exchange: a response with its bytes, or the way in which none came.

    Attributes:
        cause: `answered` (2xx), `status` (any other), `timeout`, `lost` (the connection ended first), `unreachable` (none was made).
        status: of HTTP.
        body: of an answer.
        problem: why an answer's body cannot be used as it is; then only its beginning was kept.
        retry_after_s: the pause that the server asks for.
        detail: what a person should read.
        seconds: the exchange took.
    """

    cause: Cause
    status: int | None = None
    body: bytes = b""
    problem: str = ""
    retry_after_s: float | None = None
    detail: str = ""
    seconds: float = 0.0

    @property
    def may_retry(self) -> bool:
        """429, 5xx, time-outs, and no answer at all; every other error would only come again."""
        return self.cause in ("timeout", "lost", "unreachable") or (self.cause == "status" and self.failure_kind != "refused")

    @property
    def may_be_about_schema(self) -> bool:
        """A refusal of the request's form."""
        return self.cause == "status" and self.status in (400, 422)

    @property
    def names_schema(self) -> bool:
        """The refusal speaks of the schema."""
        return any(word in self.detail.lower() for word in SCHEMA_WORDS)

    @property
    def ended(self) -> Ended:
        """What it tells about the server's load."""
        if self.cause == "answered":
            return "answered"
        if self.cause == "status" and self.failure_kind == "refused":
            return "stopped"
        return "refused" if self.failure_kind == "rate-limited" else "failed"

    @property
    def failure_kind(self) -> FailureKind:
        """How the failure is counted when there is no further attempt."""
        if self.cause == "status":
            if self.status in (TOO_MANY, TOO_LATE):
                return "rate-limited" if self.status == TOO_MANY else "timeout"
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
        except (ValueError, TypeError, OverflowError):
            return None
    return max(0.0, seconds) if seconds == seconds else None
