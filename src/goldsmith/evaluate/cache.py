"""Scores on disk, by text and by everything of a model that decides a score: no text is scored twice, whatever stops a run."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from goldsmith.errors import StoreError
from goldsmith.evaluate.engines.engine import Rated

SCORES_FILE = "scores.sqlite"
"""Name of the file in an evaluation's folder."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS models (id INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS scores (
    model INTEGER NOT NULL, text BLOB NOT NULL, value REAL NOT NULL, tokens INTEGER, cut INTEGER NOT NULL, PRIMARY KEY (model, text)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS descriptions (key TEXT PRIMARY KEY, description TEXT NOT NULL);
"""
_VERSION = 1
_AT_ONCE = 500


class ScoreCache:
    """One SQLite file of scores; each `put` is durable when it returns. Failures are not kept: they are tried again."""

    def __init__(self, path: Path) -> None:
        """Open or make the file.

        Raises:
            StoreError: it cannot be opened, or holds something else.
        """
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, timeout=60.0)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = NORMAL")
            version = self._database.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, _VERSION):
                raise StoreError(
                    f"{path}: a cache of version {version}, and this Goldsmith reads {_VERSION}; name another file, or delete it"
                )
            self._database.executescript(_SCHEMA)
            self._database.execute(f"PRAGMA user_version = {_VERSION}")
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"{path}: no cache of scores can be kept here ({error}); name another file, or delete it") from None
        self._models: dict[str, int] = {}

    def get(self, digest: str, text_ids: Sequence[str]) -> dict[str, Rated]:
        """Return the known scores of texts under the model with this digest, by text id."""
        model = self._model(digest)
        found: dict[str, Rated] = {}
        for start in range(0, len(text_ids), _AT_ONCE):
            part = text_ids[start : start + _AT_ONCE]
            marks = ",".join("?" * len(part))
            rows = self._run(
                f"SELECT text, value, tokens, cut FROM scores WHERE model = ? AND text IN ({marks})",
                [model, *(bytes.fromhex(name) for name in part)],
            )
            found |= {text.hex(): Rated(value=value, tokens=tokens, cut=cut) for text, value, tokens, cut in rows}
        return found

    def put(self, digest: str, scores: Mapping[str, Rated] | Iterable[tuple[str, Rated]]) -> None:
        """Keep scores; those without a value are left out.

        Raises:
            StoreError: the disk is full, or the file is broken.
        """
        model = self._model(digest)
        items = scores.items() if isinstance(scores, Mapping) else scores
        rows = [
            (model, bytes.fromhex(name), rated.value, rated.tokens, rated.cut) for name, rated in items if rated.value is not None
        ]
        self._write("INSERT OR REPLACE INTO scores VALUES (?, ?, ?, ?, ?)", rows)

    def description(self, key: str) -> str | None:
        """Return what was kept of a model under this key."""
        found = self._run("SELECT description FROM descriptions WHERE key = ?", [key])
        return str(found[0][0]) if found else None

    def keep_description(self, key: str, description: str) -> None:
        """Keep what is known of a model that could be opened, so that it need not be opened to know it.

        Raises:
            StoreError: as `put`.
        """
        self._write("INSERT OR REPLACE INTO descriptions VALUES (?, ?)", [(key, description)])

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _model(self, digest: str) -> int:
        if digest not in self._models:
            with self._database:
                self._run("INSERT OR IGNORE INTO models (digest) VALUES (?)", [digest])
            self._models[digest] = int(self._run("SELECT id FROM models WHERE digest = ?", [digest])[0][0])
        return self._models[digest]

    def _write(self, statement: str, rows: Sequence[Sequence[object]]) -> None:
        try:
            with self._database:
                self._database.executemany(statement, rows)
        except sqlite3.Error as error:
            raise StoreError(f"{self.path}: scores cannot be kept ({error}); free some space, or name another file") from None

    def _run(self, statement: str, values: Sequence[object]) -> list[Any]:
        try:
            return self._database.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise StoreError(
                f"{self.path}: the cache of scores cannot be read ({error}); name another file, or delete it"
            ) from None
