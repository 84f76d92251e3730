"""Transactions of SQLite files that Goldsmith keeps by itself; the annotation database is SQLAlchemy's (`gold.database`)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from goldsmith.errors import StoreError


@contextmanager
def transaction(connection: sqlite3.Connection, failed: str) -> Iterator[sqlite3.Connection]:
    """Everything inside is written at once or not at all; one inside another is part of it.

    Args:
        connection: in autocommit mode (`isolation_level=None`), used by one thread at a time.
        failed: what the error's message begins with: the file, and what cannot be done.

    Raises:
        StoreError: the file cannot be written.
    """
    if connection.in_transaction:
        yield connection
        return
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield connection
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise StoreError(f"{failed}: {error}") from None
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
