"""What every function of the annotation room shares: the database, the rules, the seed and the clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from goldsmith.config import GoldsmithConfig
from goldsmith.config.annotate import AnnotateConfig
from goldsmith.config.gold import GoldConfig
from goldsmith.gold.database import Database
from goldsmith.gold.votes import VoteStore
from goldsmith.store import Workspace


@dataclass(slots=True)
class Memory:
    """What one process remembers so as to ask the database less; all of it may be forgotten at any time.

    Attributes:
        cursors: for each person and tag, the rank before which nothing is free for them and until when that is believed.
        totals: for each person, a midnight and how many votes they had given before it.
        swept_at: when leases that had run out were last looked for.
    """

    cursors: dict[tuple[str, str], tuple[int, float]] = field(default_factory=dict)
    totals: dict[str, tuple[float, int]] = field(default_factory=dict)
    swept_at: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """An open annotation room.

    Attributes:
        database: where everything is.
        gold: rules of votes, disputes and the gate.
        rules: rules of the room.
        seed: of every draw (order of replies, retests, checks).
        clock: seconds since 1970; tests set their own.
        memory: see there.
    """

    database: Database
    gold: GoldConfig
    rules: AnnotateConfig
    seed: int = 0
    clock: Callable[[], float] = time.time
    memory: Memory = field(default_factory=Memory)

    def close(self) -> None:
        """Release the database."""
        self.database.close()


def open_room(workspace: Workspace, *, pool: int = 10) -> Room:
    """Return the annotation room of a workspace; the caller closes it."""
    config = workspace.config
    return Room(database=open_database(workspace, pool=pool), gold=config.gold, rules=_rules(config), seed=config.seed)


def _rules(config: GoldsmithConfig) -> AnnotateConfig:
    """The room's rules; where they give the code runner no limits of its own, it has those of the `[sandbox]` section."""
    tools = config.annotate.tools
    code = tools.code.model_copy(update={"sandbox": tools.code.sandbox or config.sandbox})
    return config.annotate.model_copy(update={"tools": tools.model_copy(update={"code": code})})


def open_database(workspace: Workspace, *, pool: int = 10) -> Database:
    """Return the annotation database that a workspace's configuration names."""
    return Database(place_of(workspace), pool=pool)


def place_of(workspace: Workspace) -> Path | str:
    """Return the URL that is configured, or the workspace's own file."""
    return workspace.config.annotate.database or workspace.annotation_db


def open_votes(workspace: Workspace) -> VoteStore:
    """Return the votes and the queue of a workspace; the caller closes it."""
    return VoteStore(place_of(workspace))


def has_votes(workspace: Workspace) -> bool:
    """Return whether there may be votes or a queue: a file, or a database that is configured."""
    return bool(workspace.config.annotate.database) or workspace.annotation_db.is_file()
