"""The full-text index: one SQLite file with FTS5, whose reading never waits for writing, and whose cost for a question is bounded.

Ranking is BM25 over the rarest words of a question: common words are left out as soon as looking at all their passages would cost more than a person
should wait for, and they tell little.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from goldsmith.annotate.documents.terms import terms_of, terms_of_query
from goldsmith.errors import StoreError
from goldsmith.store.sqlite import transaction

VERSION = 1
MOST_RANKED = 10_000
"""Passages that one question ranks at most, summed over its words; each costs about a microsecond."""
COMMON = 1000
"""Passages from which on a word's count is remembered (counting them takes longer than remembering), and only steers which words are ranked."""
REMEMBERED_S = 600.0
_SCHEMA = """
CREATE TABLE documents (doc_id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, title TEXT NOT NULL, digest TEXT NOT NULL, passages INTEGER NOT NULL,
    characters INTEGER NOT NULL, added_at REAL NOT NULL);
CREATE TABLE passages (passage_id INTEGER PRIMARY KEY, doc_id INTEGER NOT NULL, number INTEGER NOT NULL, text TEXT NOT NULL);
CREATE INDEX passages_of_document ON passages (doc_id);
CREATE VIRTUAL TABLE search USING fts5 (terms, content='', tokenize="unicode61 remove_diacritics 0");
CREATE VIRTUAL TABLE vocabulary USING fts5vocab (search, 'row');
"""


_common: dict[tuple[str, str], tuple[float, int]] = {}
"""Counts of common words by index and word, with the time until which they are believed: every question opens the index anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One passage that was found: `number` of `passages` in its document, counted from 1."""

    path: str
    title: str
    number: int
    passages: int
    text: str


class DocumentIndex:
    """The index of one room; a context manager that closes it.

    Args:
        path: its file.
        make: make it when it is not there.

    Raises:
        StoreError: there is none, it is no such file or of a newer version, or this SQLite has no FTS5.
    """

    def __init__(self, path: Path, *, make: bool = False) -> None:
        self.path = path
        if not make and not path.is_file():
            raise StoreError(f"{path}: there are no documents; `goldsmith annotate docs add PATH` adds some")
        try:
            self._connection = sqlite3.connect(path, timeout=30.0, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode=WAL")
            # No waiting for the disk at each document: what a power cut takes back is added again from the files.
            self._connection.execute("PRAGMA synchronous=NORMAL")
            version = self._connection.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                self._connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version={VERSION}; COMMIT;")
        except sqlite3.Error as error:
            raise StoreError(
                f"{path}: the index of documents cannot be opened: {error}; move it away and add them again"
            ) from None
        if version > VERSION:
            raise StoreError(
                f"{path}: written by a newer Goldsmith (index {version}, this one knows {VERSION}); install that version"
            )

    def put(self, path: str, title: str, digest: str, passages: Sequence[str], at: float) -> None:
        """Add a document, in place of an older one of the same path."""
        with self._transaction() as connection:
            self._drop(path)
            row = (path, title, digest, len(passages), sum(map(len, passages)), at)
            sql = "INSERT INTO documents (path, title, digest, passages, characters, added_at) VALUES (?, ?, ?, ?, ?, ?)"
            doc_id = connection.execute(sql, row).lastrowid
            for number, text in enumerate(passages, 1):
                place = connection.execute(
                    "INSERT INTO passages (doc_id, number, text) VALUES (?, ?, ?)", (doc_id, number, text)
                ).lastrowid
                connection.execute("INSERT INTO search (rowid, terms) VALUES (?, ?)", (place, _joined(text)))

    @contextmanager
    def together(self) -> Iterator[None]:
        """Everything inside is written at once, or nothing: many documents in one go are written several times as fast."""
        with self._transaction():
            yield

    def remove(self, path: str) -> bool:
        """Remove a document and return whether it was there."""
        with self._transaction():
            return self._drop(path)

    def documents(self) -> list[dict[str, Any]]:
        """Return `path`, `title`, `digest`, `passages`, `characters` and `added_at` of every document, by path."""
        names = ("path", "title", "digest", "passages", "characters", "added_at")
        rows = self._rows(f"SELECT {', '.join(names)} FROM documents ORDER BY path")
        return [dict(zip(names, row, strict=True)) for row in rows]

    def digests(self) -> dict[str, str]:
        """Return the digest of every document by its path."""
        return dict(self._rows("SELECT path, digest FROM documents"))

    def search(self, question: str, most: int) -> list[Hit]:
        """Return the passages that fit a question best, the best first, at most one of each document.

        Args:
            question: any text; its words are looked for, nothing in it is an operator.
            most: passages at most.
        """
        terms, is_ranked = self._chosen(terms_of_query(question))
        if not terms:
            return []
        match = " OR ".join(f'"{term}"' for term in terms)  # a word holds letters and digits alone
        order = "ORDER BY rank" if is_ranked else ""
        # More than are asked for, as a document's passages may crowd out the next document's.
        rows = self._rows(f"SELECT rowid FROM search WHERE search MATCH ? {order} LIMIT ?", (match, 4 * most))
        return list(_one_each((self._hit(place) for (place,) in rows), most))

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _chosen(self, terms: Sequence[str]) -> tuple[list[str], bool]:
        """The rarest words whose passages can all be ranked, and whether they can: a single word may be too common for that."""
        chosen: list[str] = []
        total = 0
        for count, term in sorted((count, term) for term in terms if (count := self._count(term))):
            if chosen and total + count > MOST_RANKED:
                break
            chosen.append(term)
            total += count
        return chosen, total <= MOST_RANKED

    def _count(self, term: str) -> int:
        """Passages that a word stands in, about, where they are many."""
        key, now = (str(self.path), term), time.monotonic()
        until, count = _common.get(key, (0.0, 0))
        if until > now:
            return count
        found = self._rows("SELECT doc FROM vocabulary WHERE term = ?", (term,))
        count = int(found[0][0]) if found else 0
        if count >= COMMON:
            _common[key] = (now + REMEMBERED_S, count)
        return count

    def _hit(self, passage_id: int) -> Hit:
        sql = "SELECT path, title, number, passages, text FROM passages JOIN documents USING (doc_id) WHERE passage_id = ?"
        path, title, number, passages, text = self._rows(sql, (passage_id,))[0]
        return Hit(path=path, title=title, number=number, passages=passages, text=text)

    def _drop(self, path: str) -> bool:
        found = self._rows("SELECT doc_id FROM documents WHERE path = ?", (path,))
        if not found:
            return False
        for place, text in self._rows("SELECT passage_id, text FROM passages WHERE doc_id = ?", found[0]):
            # The index keeps no text of its own: to forget a passage it is told once more what stood there.
            self._connection.execute("INSERT INTO search (search, rowid, terms) VALUES ('delete', ?, ?)", (place, _joined(text)))
        self._connection.execute("DELETE FROM passages WHERE doc_id = ?", found[0])
        self._connection.execute("DELETE FROM documents WHERE doc_id = ?", found[0])
        return True

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        try:
            return self._connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise StoreError(f"{self.path}: the index of documents cannot be read: {error}") from None

    def _transaction(self) -> AbstractContextManager[sqlite3.Connection]:
        return transaction(self._connection, f"{self.path}: the index of documents cannot be written")


def _joined(text: str) -> str:
    return " ".join(terms_of(text))


def _one_each(hits: Iterable[Hit], most: int) -> Iterator[Hit]:
    seen: set[str] = set()
    for hit in hits:
        if hit.path not in seen and len(seen) < most:
            seen.add(hit.path)
            yield hit
