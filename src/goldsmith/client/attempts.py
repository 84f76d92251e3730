"""One call: where it goes, until when it is tried again, and how it ends when it has no answer."""

from __future__ import annotations

import os
import random
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import httpx2
from pydantic import ValidationError

from goldsmith.errors import ProviderError
from goldsmith.types import Content
from goldsmith.wire import goldsmith as wire

RETRIED = frozenset({408, 429, 502, 503, 504})
KEY_VARIABLE, CA_VARIABLE = "GOLDSMITH_API_KEY", "GOLDSMITH_CA_FILE"
FIRST_WAIT_S, LONGEST_WAIT_S = 0.25, 15.0

Http = TypeVar("Http")
Messages = Sequence[Mapping[str, Any]]


class RewardUnavailable(ProviderError):
    """No reward within the deadline: the server could not be reached, or was busy all the time. The call may succeed later."""


class RewardRefused(ProviderError):
    """The server will not score this, now or later.

    Attributes:
        status: HTTP status.
        code: the server's reason, `not-scorable` for instance.
        details: one line for each conversation concerned.
    """

    def __init__(self, message: str, status: int, code: str, details: Sequence[str] = ()) -> None:
        """Hold the server's reason."""
        super().__init__(message)
        self.status, self.code, self.details = status, code, list(details)


def verification(url: str, ca_file: str | Path | None = None) -> ssl.SSLContext | bool:
    """Return how a server's certificate is checked: against a file of authorities, or the usual ones; not at all without TLS.

    Args:
        url: of the server.
        ca_file: certificates (PEM), the server's own for instance; none: the file that GOLDSMITH_CA_FILE names, if it names one.

    Raises:
        ProviderError: the file cannot be read.
    """
    if not url.startswith("https://"):
        # Reading the usual authorities takes longer than many a request.
        return False
    path = ca_file or os.environ.get(CA_VARIABLE)
    if not path:
        return True
    try:
        return ssl.create_default_context(cafile=path)
    except (OSError, ssl.SSLError) as error:
        raise ProviderError(f"{path}: these certificates cannot be read ({error}); give a PEM file") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the calls of a client have in common."""

    url: str
    model: str | None
    deadline_s: float
    truncate: bool
    headers: dict[str, str]
    verify: ssl.SSLContext | bool

    @classmethod
    def of(
        cls, url: str, api_key: str | None, model: str | None, deadline_s: float, truncate: bool, ca_file: str | Path | None
    ) -> Settings:
        if not url.startswith(("http://", "https://")):
            raise ProviderError(f"{url!r} is no address of a server; it begins with http:// or https://")
        key = api_key if api_key is not None else os.environ.get(KEY_VARIABLE)
        headers = {"authorization": f"Bearer {key}"} if key else {}
        return cls(
            url=url.rstrip("/"),
            model=model,
            deadline_s=deadline_s,
            truncate=truncate,
            headers=headers,
            verify=verification(url, ca_file),
        )

    def score(self, conversations: Sequence[Messages], on_failure: wire.OnFailure) -> dict[str, Any]:
        plain = [[dict(turn) for turn in turns] for turns in conversations]
        return {"conversations": plain, "model": self.model, "truncate": self.truncate, "on_failure": on_failure}

    def rank(self, context: Messages, replies: Sequence[Content]) -> dict[str, Any]:
        return {
            "context": [dict(turn) for turn in context],
            "replies": list(replies),
            "model": self.model,
            "truncate": self.truncate,
        }

    def compare(self, context: Messages, first: Content, second: Content) -> dict[str, Any]:
        turns = [dict(turn) for turn in context]
        return {"context": turns, "first": first, "second": second, "model": self.model, "truncate": self.truncate}


class Attempts:
    """The tries of one call: what to do after each, until its deadline."""

    def __init__(self, settings: Settings, left_s: float | None = None) -> None:
        self._settings, self._ends = settings, time.monotonic() + (settings.deadline_s if left_s is None else left_s)
        self._tries = 0

    @property
    def left_s(self) -> float:
        return self._ends - time.monotonic()

    def check(self) -> None:
        """Raise a timeout when the deadline is over; for what comes piece by piece, each within its own time."""
        if self.left_s <= 0:
            raise httpx2.ReadTimeout("the answer comes too slowly")

    def wait_after(self, failed: httpx2.Response | httpx2.HTTPError) -> float:
        """Return how long to wait before the next try.

        Raises:
            RewardRefused: there is no use in trying again.
            RewardUnavailable: the deadline would pass.
        """
        self._tries += 1
        if isinstance(failed, httpx2.Response) and failed.status_code not in RETRIED:
            raise _refusal(failed)
        longest = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0**self._tries)
        wait_s = max(_asked_for(failed), random.uniform(longest / 2, longest))
        if wait_s >= self.left_s:
            raise RewardUnavailable(
                f"{self._settings.url}: no reward within {self._settings.deadline_s:g} s and {self._tries} tries; the last one: "
                f"{_told(failed)}"
            )
        return wait_s


class Left(dict[str, float]):
    """Timeouts of one request as httpx2 asks for them, phase by phase; each phase has what is left of the deadline."""

    def __init__(self, attempts: Attempts) -> None:
        super().__init__()
        self._attempts = attempts

    def get(self, name: str, default: Any = None) -> float:
        return max(0.001, self._attempts.left_s)


class PerProcess(Generic[Http]):
    """Connections that a forked process does not take over: on shared ones it could read the answer to its parent's question."""

    def __init__(self, make: Callable[[], Http]) -> None:
        self._make, self._pid, self._http = make, os.getpid(), make()

    def get(self) -> Http:
        if self._pid != os.getpid():
            self._pid, self._http = os.getpid(), self._make()
        return self._http


def _refusal(response: httpx2.Response) -> RewardRefused:
    try:
        problem = wire.ProblemReply.model_validate_json(response.content).error
    except ValidationError:
        # Another dialect's shape, or somebody else's server.
        code = response.headers.get("x-goldsmith-error", "unknown")
        problem = wire.Problem(code=code, message=response.text[:300] or "no reason is given", retryable=False)
    message = f"{response.url}: {response.status_code} {problem.code}: {problem.message}"
    return RewardRefused(message, response.status_code, problem.code, problem.details)


def _asked_for(failed: httpx2.Response | httpx2.HTTPError) -> float:
    value = failed.headers.get("retry-after", "") if isinstance(failed, httpx2.Response) else ""
    return min(float(value), 1e9) if value.isascii() and value.isdigit() else 0.0


def _told(failed: httpx2.Response | httpx2.HTTPError) -> str:
    return f"HTTP {failed.status_code}" if isinstance(failed, httpx2.Response) else f"{type(failed).__name__} {failed}".strip()
