"""Passwords are kept as Argon2id hashes; a wrong name takes as long as a wrong password."""

from __future__ import annotations

import threading
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST = 12
LONGEST = 1024
_hasher = PasswordHasher()
# One hash takes 64 MiB; a rush of sign-ins waits here instead of in the machine's memory.
_turn = threading.Semaphore(2)


def hash_password(password: str) -> str:
    """Return the hash to store; its parameters and its salt are part of it."""
    with _turn:
        return _hasher.hash(password)


def is_right(password: str, stored: str | None) -> bool:
    """Return whether a password fits a stored hash; with None (no account, or none with a password) it takes the same time and is False."""
    with _turn:
        try:
            return _hasher.verify(stored or _nobodys(), password[:LONGEST]) and stored is not None
        except (VerificationError, InvalidHashError):
            return False


def is_acceptable(password: str) -> bool:
    """Return whether a new password is long enough, and not absurdly long."""
    return SHORTEST <= len(password) <= LONGEST


@cache
def _nobodys() -> str:
    return _hasher.hash("the password of nobody")
