"""The whole error model: what can go wrong, and which exit code a command ends with.

Every message says what was found (with the value), where (pair id, file:line, key path) and what to
do next. A failed item is data and gets counted; only a failed *run* is an exception.
"""

from __future__ import annotations


class GoldsmithError(Exception):
    """Base of everything Goldsmith raises on purpose; `exit_code` is the command's (contracts: Running).

    `is_echo` is set where another process of the same run shows the message.
    """

    exit_code = 1
    is_echo = False


class UserError(GoldsmithError):
    """A configuration, an input or a prerequisite is wrong, and the user can mend it."""


class DataError(UserError):
    """A file or a row cannot be used; the message names file:line."""


class ProviderError(GoldsmithError):
    """A model server did not answer, or refused."""


class ParseError(GoldsmithError):
    """A reply of a model does not have the agreed form; the message quotes it. `kind` is what it is counted as."""

    def __init__(self, message: str, *, kind: str | None = None) -> None:
        super().__init__(message)
        self.kind = kind


class StoreError(GoldsmithError):
    """A workspace cannot be read or written: locked, corrupt, or the disk is full."""


class WaitingForHumans(GoldsmithError):
    """Not a failure: the run stops here until votes arrive. The message is the queue's address."""

    exit_code = 4
