"""A workspace: `goldsmith.toml`, `tables/`, `models/`, `runs/`, `annotation.db`, `cache/`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from goldsmith.config import GoldsmithConfig, load_config
from goldsmith.errors import UserError
from goldsmith.store import atomic
from goldsmith.store.lock import exclusive
from goldsmith.store.tables import Table, TableWriter
from goldsmith.version import code_version

CONFIG_FILE = "goldsmith.toml"


class Workspace:
    """A directory that holds one pool and everything made from it.

    Args:
        root: the directory; it must hold `goldsmith.toml`.
        config: a resolved configuration to use instead of the file's.

    Raises:
        UserError: there is no `goldsmith.toml`, or it is not valid.
    """

    def __init__(self, root: Path | str = ".", config: GoldsmithConfig | None = None) -> None:
        self.root = Path(root).resolve()
        if config is None and not (self.root / CONFIG_FILE).is_file():
            raise UserError(
                f"{self.root}: no {CONFIG_FILE} here, so this is no workspace; `goldsmith init DIR` makes one, or name one with --workspace"
            )
        self._config = config
        self._times_locked = 0

    @cached_property
    def config(self) -> GoldsmithConfig:
        """The configuration, read once."""
        return self._config or load_config([self.root / CONFIG_FILE])

    @property
    def seed(self) -> int:
        """The seed of every draw."""
        return self.config.seed

    def table(self, name: str) -> Table:
        """The table of that name, written or not."""
        return Table(self.root / "tables", name)

    def tables(self) -> list[Table]:
        """Every committed table, by name."""
        folder = self.root / "tables"
        names = sorted(entry.name for entry in folder.iterdir() if entry.is_dir()) if folder.is_dir() else []
        return [table for table in map(self.table, names) if table.exists]

    def writer(self, name: str, *, step: str, fingerprint: str, inputs: dict[str, str] | None = None) -> TableWriter:
        """A writer for a new version of a table."""
        return TableWriter(
            self.table(name), step=step, fingerprint=fingerprint, inputs=inputs or {}, seed=self.seed, code_version=code_version()
        )

    @property
    def models(self) -> Path:
        """Folder of trained models."""
        return self.root / "models"

    @property
    def cache(self) -> Path:
        """Folder of what can be computed again: features, embeddings, and LLM replies that were paid for."""
        return self.root / "cache"

    @property
    def annotation_db(self) -> Path:
        """The SQLite file of votes and queue."""
        return self.root / "annotation.db"

    def lock(self) -> Any:
        """Hold the workspace for writing; a second process is refused."""
        return exclusive(self.root / ".lock", f"the workspace {self.root}")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock, and clear what a killed process left unfinished; what holds it already may take it again."""
        if self._times_locked:
            yield
            return
        with self.lock():
            self._times_locked = 1
            try:
                self._sweep()
                yield
            finally:
                self._times_locked = 0

    def _sweep(self) -> None:
        for folder in ("tables", "models", "runs", "cache"):
            atomic.clean_temporary(self.root / folder)
        tables = self.root / "tables"
        for entry in tables.iterdir() if tables.is_dir() else ():
            if entry.is_dir():
                self.table(entry.name).sweep()

    def runs(self) -> list[Path]:
        """Run folders, oldest first."""
        folder = self.root / "runs"
        found = [entry for entry in folder.iterdir() if entry.name.isdigit()] if folder.is_dir() else []
        return sorted(found, key=lambda entry: int(entry.name))

    def write_facts(self, run: Path, stage: str, facts: dict[str, Any]) -> None:
        """Keep what a stage has to say beside its tables, for the report."""
        atomic.write_json(run / "facts" / f"{stage}.json", facts)

    def read_facts(self, run: Path, stage: str) -> dict[str, Any] | None:
        """The facts of a stage, or None when it has not run."""
        place = run / "facts" / f"{stage}.json"
        return json.loads(place.read_text(encoding="utf-8")) if place.is_file() else None
