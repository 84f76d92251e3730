"""API keys: only their hashes are on disk, a file that changes is read again, and each key has limits of its own.

A key is 256 random bits, so a plain SHA-256 cannot be searched, and checking one costs microseconds.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from goldsmith.errors import UserError
from goldsmith.serve.problem import Refusal
from goldsmith.store.atomic import write_bytes

PREFIX = "gs-"
CHECK_S = 1.0
"""How often the file's date is looked at."""


class Key(BaseModel):
    """One key of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, pattern=r"^[\w.-]+$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    scope: Literal["score", "admin"] = "score"
    requests_per_minute: int | None = Field(default=None, ge=1)
    tokens_per_minute: int | None = Field(default=None, ge=1)
    expires: AwareDatetime | None = None


class KeyFile(BaseModel):
    """The file of keys; several may have one name, so that a new one works before the old one goes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    keys: list[Key] = Field(default_factory=list)


@dataclass(slots=True)
class _Bucket:
    """What is left of a limit a minute, filled continuously."""

    limit: int
    left: float
    at: float

    def take(self, amount: float, now: float) -> float:
        """Take from it and return 0, or return the seconds until there is enough."""
        self.left = min(self.limit, self.left + (now - self.at) * self.limit / 60)
        self.at = now
        if amount <= self.left or self.left >= self.limit:
            # More than a whole minute's share is let through alone, and paid off afterwards.
            self.left -= amount
            return 0.0
        return (min(amount, self.limit) - self.left) * 60 / self.limit


@dataclass(slots=True)
class Caller:
    """Who sends a request."""

    name: str
    is_admin: bool
    requests: _Bucket | None = None
    tokens: _Bucket | None = None

    def charge(self, *, requests: int = 0, tokens: int = 0) -> None:
        """Count a request or its tokens.

        Raises:
            Refusal: 429, the key's limit is used up.
        """
        now = time.monotonic()
        for bucket, amount, what in ((self.requests, requests, "requests"), (self.tokens, tokens, "tokens")):
            wait_s = bucket.take(amount, now) if bucket is not None and amount else 0.0
            if wait_s and bucket is not None:
                raise Refusal(
                    429, "rate-limit", f"key {self.name}: its limit is {bucket.limit} {what} a minute", retry_after_s=wait_s
                )


@dataclass(slots=True)
class Keys:
    """Who may use a server. Without a file, everybody may, and nobody is an administrator but from this machine."""

    path: Path | None
    _callers: dict[str, tuple[Caller, Key]] = field(default_factory=dict)
    _read_as: tuple[int, ...] = ()
    _looked: float = float("-inf")

    def caller(self, authorization: str | None, api_key: str | None) -> Caller:
        """Return whose key a request carries.

        Args:
            authorization: its `Authorization` header, `Bearer KEY`.
            api_key: its `x-api-key` header.

        Raises:
            Refusal: 401, no key or none that is known; 503, the file cannot be read.
        """
        if self.path is None:
            return Caller("-", is_admin=True)
        self._refresh()
        scheme, _, value = (authorization or "").partition(" ")
        given = value.strip() if scheme.lower() == "bearer" else (api_key or "")
        wanted = hashlib.sha256(given.encode("utf-8", "surrogateescape")).hexdigest()
        found = [entry for digest, entry in self._callers.items() if hmac.compare_digest(digest, wanted)]
        if not given or not found:
            raise Refusal(401, "no-key", "an API key is needed: `Authorization: Bearer KEY`")
        caller, key = found[0]
        if key.expires is not None and key.expires <= datetime.now(UTC):
            raise Refusal(401, "key-expired", f"key {key.name} has expired; ask for a new one")
        return caller

    def check(self) -> None:
        """Read the file.

        Raises:
            UserError: it is missing, or no file of keys.
        """
        if self.path is not None:
            self._read(self.path)

    def _refresh(self) -> None:
        now = time.monotonic()
        if self.path is None or now - self._looked < CHECK_S:
            return
        self._looked = now
        try:
            if _state(self.path) != self._read_as:
                self._read(self.path)
        except (OSError, UserError):
            # Better nobody than somebody whose key was withdrawn; and not one refusal that says a key is wrong before the file is read again.
            self._callers, self._read_as, self._looked = {}, (), float("-inf")
            raise Refusal(503, "keys-unreadable", "the server's file of keys cannot be read", retry_after_s=5.0) from None

    def _read(self, path: Path) -> None:
        state = _state(path) if path.is_file() else ()
        before = {digest: caller for digest, (caller, _) in self._callers.items()}
        now = time.monotonic()
        self._callers = {key.sha256: (before.get(key.sha256) or _caller(key, now), key) for key in read_keys(path).keys}
        for caller, key in self._callers.values():
            _set_limits(caller, key, now)
        self._read_as = state


def _state(path: Path) -> tuple[int, ...]:
    """Return what tells one version of a file from another: two that are written at once may have one date."""
    status = path.stat()
    return (status.st_mtime_ns, status.st_ino, status.st_size)


def read_keys(path: Path) -> KeyFile:
    """Return a file of keys.

    Raises:
        UserError: it is missing, or no file of keys.
    """
    try:
        return KeyFile.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UserError(
            f"{path}: cannot be read ({error.strerror}); make it with `goldsmith serve-key NAME --keys {path}`"
        ) from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise UserError(f"{path}: {place}: {first['msg']}; mend it, or make it anew with `goldsmith serve-key`") from None


def add_key(path: Path, name: str, **facts: object) -> str:
    """Add a key to a file, which is made when absent, and return the key itself, which is kept nowhere.

    Args:
        path: the file.
        name: whose key it is.
        facts: other fields of `Key`.

    Raises:
        UserError: the file is no file of keys, or a fact is not allowed.
    """
    secret = PREFIX + secrets.token_urlsafe(32)
    try:
        key = Key.model_validate({"name": name, "sha256": hashlib.sha256(secret.encode()).hexdigest(), **facts})
    except ValidationError as error:
        raise UserError(f"key {name!r}: {error.errors(include_url=False, include_input=False)[0]['msg']}") from None
    with _held(path):
        known = read_keys(path).keys if path.exists() else []
        _write(path, [*known, key])
    return secret


def withdraw_key(path: Path, name: str) -> int:
    """Take every key of a name out of a file and return how many there were.

    Raises:
        UserError: there is none, or the file is no file of keys.
    """
    with _held(path):
        known = read_keys(path).keys
        kept = [key for key in known if key.name != name]
        if len(kept) == len(known):
            raise UserError(
                f"{path}: no key of the name {name!r}; there are {', '.join(sorted({key.name for key in known})) or 'none'}"
            )
        _write(path, kept)
    return len(known) - len(kept)


@contextmanager
def _held(path: Path) -> Iterator[None]:
    """Hold a file for a change: of two commands at once the second waits, and adds to what the first wrote."""
    try:
        stream = path.with_name(f".{path.name}.lock").open("ab")
    except OSError as error:
        raise UserError(f"{path}: its folder cannot be written to ({error.strerror}); name another file") from None
    with stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _write(path: Path, keys: list[Key]) -> None:
    text = json.dumps(KeyFile(keys=keys).model_dump(mode="json", exclude_none=True), indent=1)
    write_bytes(path, text.encode() + b"\n")
    path.chmod(0o600)


def _caller(key: Key, now: float) -> Caller:
    return Caller(key.name, is_admin=key.scope == "admin")


def _set_limits(caller: Caller, key: Key, now: float) -> None:
    caller.is_admin = key.scope == "admin"
    for name, limit in (("requests", key.requests_per_minute), ("tokens", key.tokens_per_minute)):
        bucket: _Bucket | None = getattr(caller, name)
        if limit is None or bucket is None or bucket.limit != limit:
            setattr(caller, name, None if limit is None else _Bucket(limit, limit, now))
