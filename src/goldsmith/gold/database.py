"""The annotation database: SQLite in WAL mode by default, PostgreSQL by URL; brought up to date by Alembic when it is opened.

`read()` and `write()` are the only two ways in. A write on SQLite takes the writer's lock at once, so that what was read inside it still holds when
it is written; on PostgreSQL rows are guarded by conditions in the statements and by constraints.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa

from goldsmith.errors import StoreError, UserError

HEAD = "0003"
"""The newest migration; a test compares it with the folder."""
UPGRADE_LOCK = 0x601D
BUSY_SECONDS = 10
IDLE_SECONDS = 5.0
"""A connection that was not used for so long is tried before it is used again; one that fails earlier fails one request, which is sent again."""
RETRIED = {"40001", "40P01"}
"""SQLSTATEs of a transaction that lost against another and may simply be repeated: serialization failure, deadlock."""
T = TypeVar("T")


class Database:
    """One annotation database.

    Args:
        place: a SQLite file, or a SQLAlchemy URL; `$NAME` stands for an environment variable, so that a password is in no file.
        pool: connections kept open at most (PostgreSQL).

    Raises:
        UserError: the URL is none, or of a database that is not supported.
        StoreError: the database cannot be read or written.
    """

    def __init__(self, place: Path | str, *, pool: int = 10) -> None:
        self.url = _url(place)
        more: dict[str, Any] = {}
        if self.is_sqlite:
            # One writer at a time; readers do not wait for it.
            more = {"pool_size": pool, "max_overflow": 30, "connect_args": {"timeout": BUSY_SECONDS, "check_same_thread": False}}
        else:
            more = {"pool_size": pool, "max_overflow": 10, "pool_timeout": 10}
            more["connect_args"] = {"connect_timeout": 5}
        self.engine = sa.create_engine(self.url, **more)
        self._turn = threading.Lock()
        self._writer = self.engine.execution_options(goldsmith_write=True)
        self._reader = self.engine
        if self.is_sqlite:
            sa.event.listen(self.engine, "connect", _durable_sqlite)
            sa.event.listen(self.engine, "begin", _begin_sqlite)
        else:
            # READ COMMITTED sees each statement's own moment anyway: without a transaction two round trips are saved.
            self._reader = self.engine.execution_options(isolation_level="AUTOCOMMIT")
            sa.event.listen(self.engine, "checkout", _tried_after_idling)
            sa.event.listen(self.engine, "checkin", _used_now)
        sa.event.listen(self.engine, "handle_error", _explained)
        self._bring_up_to_date()

    @property
    def is_sqlite(self) -> bool:
        """Whether this is a file."""
        return self.url.get_backend_name() == "sqlite"

    @contextmanager
    def read(self, *, at_once: bool = False) -> Iterator[sa.Connection]:
        """A connection that only reads.

        Args:
            at_once: everything as it was at one moment, for figures that must fit together and for long exports.
        """
        with self._reader.connect() as connection:
            if at_once and not self.is_sqlite:
                connection.execution_options(isolation_level="REPEATABLE READ")
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """A transaction that is committed at the end of the block, and undone when the block raises."""
        if not self.is_sqlite:
            with self._writer.begin() as connection:
                yield connection
            return
        # Threads of one process queue up here, in order; SQLite's own waiting polls and is unfair.
        with self._turn, self._writer.begin() as connection:
            yield connection

    def transact(self, work: Callable[[sa.Connection], T], attempts: int = 4) -> T:
        """Run `work` in a write transaction, again when it lost against another one."""
        for attempt in range(1, attempts + 1):
            try:
                with self.write() as connection:
                    return work(connection)
            except sa.exc.DBAPIError as error:
                if attempt == attempts or getattr(error.orig, "sqlstate", None) not in RETRIED:
                    raise
                time.sleep(0.01 * attempt)
        raise AssertionError("unreachable")

    def close(self) -> None:
        """Release the connections."""
        self.engine.dispose()

    def _bring_up_to_date(self) -> None:
        with self.read() as connection:
            version = _version(connection)
        if version == HEAD:
            return
        if version is not None and version > HEAD:
            raise StoreError(
                f"{self.url.database}: written by a newer Goldsmith (schema {version}, this one knows {HEAD}); install that version"
            )
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(files("goldsmith.gold").joinpath("migrations")))
        with self.write() as connection:
            if not self.is_sqlite:
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": UPGRADE_LOCK})
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def _url(place: Path | str) -> sa.URL:
    if isinstance(place, Path):
        return sa.URL.create("sqlite", database=str(place))
    text = os.path.expandvars(place)
    try:
        url = sa.make_url(text)
    except sa.exc.ArgumentError:
        raise UserError(
            f"annotate.database = {place!r} is no database URL; expected postgresql://USER:PASSWORD@HOST/NAME"
        ) from None
    if url.get_backend_name() == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() != "sqlite":
        raise UserError(
            f"annotate.database: '{url.get_backend_name()}' is not supported; use postgresql:// or leave it empty for SQLite"
        )
    return url


def _version(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    return str(found) if found is not None else None


def _tried_after_idling(connection: Any, record: Any, _proxy: Any) -> None:
    if time.monotonic() - record.info.get("used", 0.0) < IDLE_SECONDS:
        return
    try:
        connection.execute("SELECT 1")
        connection.rollback()
    except _dead() as error:
        # The pool opens a new connection instead, as often as it has old ones.
        raise sa.exc.InvalidatePoolError from error


def _dead() -> tuple[type[Exception], ...]:
    import psycopg

    return (psycopg.OperationalError, psycopg.InterfaceError)


def _used_now(_connection: Any, record: Any) -> None:
    record.info["used"] = time.monotonic()


def _durable_sqlite(connection: Any, _record: Any) -> None:
    # The driver's own transactions are switched off: SQLAlchemy says BEGIN (below), once and of the right kind.
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}")


def _begin_sqlite(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("goldsmith_write") else "BEGIN")


def _explained(failure: Any) -> None:
    """Turn what the database refuses into an error that names the place and the remedy; what a caller may handle stays as it is."""
    error = failure.sqlalchemy_exception
    if isinstance(error, (sa.exc.IntegrityError, sa.exc.ProgrammingError, sa.exc.DataError)) or not isinstance(
        error, sa.exc.DatabaseError
    ):
        return
    if getattr(failure.original_exception, "sqlstate", None) in RETRIED:
        return
    place, reason = failure.engine.url.database, str(failure.original_exception).strip()
    if "disk is full" in reason:
        raise StoreError(f"{place}: no space left on the disk; no vote is lost. Free some space and run the same command again")
    if failure.engine.dialect.name == "sqlite":
        raise StoreError(
            f"{place}: the votes cannot be read or written ({reason}); put a sound copy of the file back, or move it away"
        )
    raise StoreError(
        f"the database '{place}' cannot be reached or refuses ({reason}); no vote is lost. Start it, or mend annotate.database"
    )
