"""Texts to unit vectors, with an on-disk cache: what was embedded once is read, also after a kill."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from goldsmith.errors import UserError
from goldsmith.identity import combined_digest, file_digest
from goldsmith.models.minilm import minilm_path
from goldsmith.retrieve.index import Vectors

EMBEDDED = "embedded"
CHUNK = 512
"""Texts between two commits of the cache: what a kill may cost."""
CHARACTERS_PER_TOKEN = 32
"""Text beyond this many characters per token of the window is cut before the tokenizer sees it."""

Progress = Callable[[int, int], None]
"""Called with (done, total)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """Vectors of texts (L2-normalised float32, shape [N, D]); how many distinct texts were cut, and how many were in the cache."""

    vectors: Vectors
    truncated: int
    cached: int


class Embedder:
    """A sentence-transformers model, loaded on the first text that is not in the cache."""

    def __init__(self, name: str = EMBEDDED, *, cache: Path | None = None, batch_size: int = 64) -> None:
        """Name the model; nothing is loaded yet.

        Args:
            name: `embedded`, a folder, or a sentence-transformers id.
            cache: SQLite file of vectors, made when missing; none: nothing is kept.
            batch_size: texts of one forward pass.
        """
        self.name = name
        self.cache = cache
        self.batch_size = batch_size
        self._model: Any = None
        self._digest: str | None = None

    @property
    def digest(self) -> str:
        """What the cache knows the model by: the weights' SHA-256, or the id of a hub model."""
        if self._digest is None:
            folder = self._folder()
            weights = sorted(folder.glob("*.safetensors")) if folder else []
            self._digest = combined_digest(file_digest(path) for path in weights) if weights else f"hub:{self.name}"
        return self._digest

    def embed(self, texts: Sequence[str], progress: Progress | None = None) -> Embedded:
        """Return one unit vector per text, in order; equal texts are embedded once.

        Args:
            texts: N texts.
            progress: called after each chunk with (distinct texts done, distinct texts).

        Raises:
            UserError: the model is not installed, or its files are not the pinned ones.
        """
        keys = [self._key(text) for text in texts]
        distinct = dict(zip(keys, texts, strict=True))
        with closing(_open(self.cache)) as connection:
            known = _read(connection, list(distinct))
            missing = [key for key in distinct if key not in known]
            done = cached = len(known)
            for start in range(0, len(missing), CHUNK):
                chunk = missing[start : start + CHUNK]
                vectors, cut = self._encode([distinct[key] for key in chunk])
                fresh = {key: (vector, flag) for key, vector, flag in zip(chunk, vectors, cut, strict=True)}
                _write(connection, fresh)
                known |= fresh
                done += len(chunk)
                if progress:
                    progress(done, len(distinct))
        matrix = np.stack([known[key][0] for key in keys]) if keys else np.zeros((0, 0), dtype=np.float32)
        return Embedded(vectors=matrix, truncated=sum(flag for _, flag in known.values()), cached=cached)

    def known(self, texts: Sequence[str]) -> dict[str, Vectors]:
        """Return the vectors of those texts that are in the cache, by text; nothing is embedded, and no cache is made.

        Raises:
            UserError: the model is not installed, so its digest, which the cache goes by, is not known.
        """
        if self.cache is None or not self.cache.is_file():
            return {}
        keys = {self._key(text): text for text in texts}
        with closing(_open(self.cache)) as connection:
            return {keys[key]: vector for key, (vector, _) in _read(connection, list(keys)).items()}

    def _key(self, text: str) -> bytes:
        return hashlib.sha256(f"{self.digest}\n{text}".encode("utf-8", "surrogatepass")).digest()

    def _encode(self, texts: list[str]) -> tuple[Vectors, list[bool]]:
        model = self._load()
        window = int(model.max_seq_length or 512)
        short = [text[: window * CHARACTERS_PER_TOKEN] for text in texts]
        lengths = [len(ids) for ids in model.tokenizer(short, truncation=False, verbose=False)["input_ids"]]
        vectors = model.encode(
            short, batch_size=self.batch_size, normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False
        )
        cut = [length > window or len(part) < len(text) for length, part, text in zip(lengths, short, texts, strict=True)]
        return np.asarray(vectors, dtype=np.float32), cut

    def _load(self) -> Any:
        if self._model is None:
            folder = self._folder()
            try:
                from sentence_transformers import SentenceTransformer
            except ImportError:
                raise UserError("sentence-transformers is not installed; `pip install goldsmith[retrieve]`") from None
            from goldsmith.reward.checkpoint import quiet_loading

            source = str(folder) if folder else self.name
            try:
                with quiet_loading():
                    self._model = SentenceTransformer(source, model_kwargs={"use_safetensors": True})
            except (OSError, ValueError) as error:
                raise UserError(
                    f"retrieve.embedder = '{self.name}' cannot be loaded: {str(error).splitlines()[0]}; "
                    "give a sentence-transformers folder with safetensors, a hub id this machine can reach, or 'embedded'"
                ) from None
        return self._model

    def _folder(self) -> Path | None:
        if self.name != EMBEDDED:
            return Path(self.name) if Path(self.name).is_dir() else None
        return minilm_path()


def _open(path: Path | None) -> sqlite3.Connection:
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(str(path) if path else ":memory:", timeout=60.0)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL, truncated INTEGER NOT NULL)"
    )
    return connection


def _read(connection: sqlite3.Connection, keys: list[bytes]) -> dict[bytes, tuple[Vectors, bool]]:
    found: dict[bytes, tuple[Vectors, bool]] = {}
    for start in range(0, len(keys), 500):
        part = keys[start : start + 500]
        marks = ",".join("?" * len(part))
        for key, vector, truncated in connection.execute(
            f"SELECT key, vector, truncated FROM vectors WHERE key IN ({marks})", part
        ):
            found[key] = (np.frombuffer(vector, dtype="<f4"), bool(truncated))
    return found


def _write(connection: sqlite3.Connection, rows: dict[bytes, tuple[Vectors, bool]]) -> None:
    values = [(key, np.ascontiguousarray(vector, dtype="<f4").tobytes(), int(flag)) for key, (vector, flag) in rows.items()]
    with connection:
        connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", values)
