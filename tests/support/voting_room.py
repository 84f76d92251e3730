"""A small annotation room with a clock of its own, for tests of `gold/` and `annotate/`."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from goldsmith.config.annotate import AnnotateConfig
from goldsmith.config.gold import GoldConfig
from goldsmith.gold.assign import Nothing, next_lease
from goldsmith.gold.cast import Ballot, Receipt, cast_vote
from goldsmith.gold.database import Database
from goldsmith.gold.leases import Lease
from goldsmith.gold.people import Person, add_person
from goldsmith.gold.room import Room
from goldsmith.gold.votes import VoteStore

START = 1_800_000_000.0


@dataclass
class Clock:
    """Seconds that pass only when a test says so."""

    now: float = START

    def __call__(self) -> float:
        return self.now


@dataclass
class SmallRoom:
    """A room, its clock and its people by first name."""

    room: Room
    clock: Clock
    people: dict[str, Person] = field(default_factory=dict)

    def add(self, *names: str, role: str = "annotator", **more: Any) -> None:
        for name in names:
            with self.room.database.write() as connection:
                tags = more.get("tags", [])
                rest = {key: value for key, value in more.items() if key != "tags"}
                self.people[name] = add_person(connection, self.clock(), "test", f"{name}@example.org", name, role, tags, **rest)

    def fill(self, *pair_ids: str, batch: str = "seed", **more: Any) -> None:
        items = [item(pair_id) | more.get("each", {}).get(pair_id, {}) for pair_id in pair_ids]
        VoteStore(self.room.database).fill_queue(
            batch, items, wanted=self.room.gold.votes_per_pair, quotas=self.room.rules.quotas, expertise=self.room.rules.expertise
        )

    def take(self, name: str, queue: str = "work") -> Lease | None:
        found = next_lease(self.room, self.people[name], queue)
        return None if isinstance(found, Nothing) else found

    def why(self, name: str, queue: str = "work") -> str:
        found = next_lease(self.room, self.people[name], queue)
        assert isinstance(found, Nothing)
        return found.why

    def vote(self, name: str, lease: Lease, choice: str = "first", **more: Any) -> Receipt:
        return cast_vote(self.room, self.people[name], ballot(lease, choice, **more))

    def work(self, name: str, choice: str = "first", queue: str = "work", **more: Any) -> Lease:
        lease = self.take(name, queue)
        assert lease is not None
        self.vote(name, lease, choice, **more)
        return lease


def item(pair_id: str) -> dict[str, Any]:
    return {
        "pair_id": pair_id,
        "context": [{"role": "user", "content": f"question {pair_id}"}],
        "first": f"a {pair_id}",
        "second": f"b {pair_id}",
    }


def ballot(lease: Lease, choice: str = "first", **more: Any) -> Ballot:
    values = {
        "vote_id": secrets.token_hex(16),
        "lease_id": lease.lease_id,
        "choice": choice,
        "strength": 1,
        "seconds": 20.0,
        **more,
    }
    if choice == "discard":
        values = {"reason": "unreadable", "rationale": "no words", **values}
    return Ballot.model_validate(values)


def small_room(place: Path | str, *, gold: dict[str, Any] | None = None, **rules: Any) -> SmallRoom:
    """Return an empty room; nobody is tested or checked, and nothing is retested, unless a test asks for it."""
    clock = Clock()
    quiet = {"check_rate": 0.0, "qualification_items": 0}
    still = {"retest_share": 0.0, "retest_same_share": 0.0}
    return SmallRoom(
        Room(
            database=Database(place),
            gold=GoldConfig(**{**still, **(gold or {})}),
            rules=AnnotateConfig(**{**quiet, **rules}),
            clock=clock,
        ),
        clock,
    )
